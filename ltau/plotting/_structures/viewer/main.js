/** What is selected, and the three views that show it. */
class Report {
  constructor(data) {
    this.data = data;
    this.selected = { frame: 0, atom: null };
    const select = (frame, atom) => this.select(frame, atom);
    this.map = new AtomMap(element("map"), data, select);
    this.structure = new StructureView(element("structure"), data, select);
    this.timeline = new Timeline(element("timeline"), data, select);
    this.offer("x", ["ood_score", "forces_error"], (name) => {
      this.map.x = name;
      this.map.layOut();
    });
    this.offer("color", Object.keys(data.columns), (name) => { this.structure.column = name; });
    element("before").addEventListener("click", () => this.step(-1));
    element("after").addEventListener("click", () => this.step(1));
    for (const button of document.querySelectorAll("button[data-frame]")) {
      const { frame, atom } = button.dataset;
      button.addEventListener("click", () => this.select(Number(frame), Number(atom)));
    }
    window.addEventListener("resize", () => { this.map.layOut(); this.draw(); });
    this.map.layOut();
  }

  /** Offer those columns that there are. */
  offer(id, names, choose) {
    const known = names.filter((name) => name in this.data.columns);
    for (const name of known) element(id).add(new Option(withUnit(this.data.columns[name]), name));
    element(id).addEventListener("change", (event) => {
      choose(event.target.value);
      this.draw();
    });
  }

  step(by) {
    const { frame, atom } = this.selected, n = this.data.frames.length;
    const next = (frame + by + n) % n;
    this.select(next, atom < this.data.frames[next].numbers.length ? atom : null);
  }

  select(frame, atom) {
    this.selected = { frame, atom };
    this.draw();
  }

  draw() {
    this.map.draw(this.selected);
    this.structure.draw(this.selected);
    this.timeline.draw(this.selected);
    element("said").textContent = this.sentence();
    const [low, high] = this.structure.ranges[this.structure.column];
    element("low").textContent = said(low);
    element("high").textContent = `≥ ${said(high)}`;
  }

  sentence() {
    const { frame, atom } = this.selected, shown = this.data.frames[frame];
    const name = shown.name[0].toUpperCase() + shown.name.slice(1);
    const reason = shown.reason ? ` Stopped at ${shown.reason}.` : "";
    if (atom === null) return `${name}: ${shown.numbers.length === 1 ? "1 atom" : `${shown.numbers.length} atoms`}.${reason}`;
    const { symbol } = this.data.elements[shown.numbers[atom]];
    const numbers = Object.entries(this.data.columns).map(([column, { label, unit }]) => {
      const value = shown.values[column][atom];
      return `${label} ${said(value)}${unit && value !== null ? ` ${unit}` : ""}`;
    });
    return `${name}, atom ${atom} (${symbol}): ${numbers.join(", ")}.${reason}`;
  }
}

function element(id) {
  return document.getElementById(id);
}

const report = new Report(JSON.parse(element("data").textContent));
const worst = document.querySelector("button[data-frame]");
if (worst) worst.click();
else report.draw();

const PANEL = 140, GAP = 10; // heights, in pixels

/** The run over its steps, a panel for each number; a click selects the nearest frame. */
class Timeline {
  constructor(canvas, data, onSelect) {
    Object.assign(this, { canvas, data });
    canvas.style.height = `${44 + PANEL * data.timeline.panels.length}px`;
    canvas.addEventListener("click", (event) => {
      if (data.frames[0].at === null) return; // a run whose frames do not tell their steps
      const at = this.x.back(mouse(event)[0]);
      const apart = data.frames.map((frame) => Math.abs(frame.at - at));
      onSelect(apart.indexOf(Math.min(...apart)), null);
    });
  }

  draw(selected) {
    const { pen, width } = surface(this.canvas);
    const { panels, first, last, label } = this.data.timeline;
    const box = { left: 64, right: width - 10 };
    const own = this.data.frames[selected.frame].at;
    const all = own === null ? [first, last] : [first, last, own];
    this.x = linearScale(Math.min(...all), Math.max(...all), box.left, box.right);
    panels.forEach((panel, i) => {
      [box.top, box.bottom] = [8 + PANEL * i, 8 + PANEL * (i + 1) - GAP];
      this.drawPanel(pen, box, panel, i === panels.length - 1 ? label : "");
    });
    if (own === null) return;
    pen.strokeStyle = ORANGE;
    pen.lineWidth = 1.5;
    line(pen, this.x.place(own), 8, this.x.place(own), box.bottom);
  }

  drawPanel(pen, box, panel, label) {
    const values = panel.lines.flatMap((each) => each.values).filter((v) => v < INFINITE);
    let low = Infinity, high = -Infinity;
    for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
    if (!values.length) [low, high] = [0, 1];
    const top = high + 0.25 * (high - low); // room for the names
    const y = linearScale(low, top, box.bottom, box.top);
    panel.lines.forEach((each, i) => {
      pen.strokeStyle = pen.fillStyle = [BLUE, FAINT][i];
      pen.lineWidth = 1.2;
      pen.beginPath();
      each.at.forEach((at, k) =>
        pen.lineTo(this.x.place(at), y.place(Math.min(each.values[k], top))));
      pen.stroke();
      if (each.at.length === 1) {
        disc(pen, this.x.place(each.at[0]), y.place(each.values[0]), 3);
        pen.fill();
      }
      pen.textAlign = "left";
      pen.textBaseline = "top";
      pen.fillText(each.name, box.left + 6 + 150 * i, box.top + 4);
    });
    drawAxes(pen, box, this.x, y, label, panel.label);
  }
}

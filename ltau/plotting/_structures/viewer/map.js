/** A dot for each atom that is known: expected error against another number. */
class AtomMap {
  constructor(canvas, data, onSelect) {
    Object.assign(this, { canvas, data, onSelect, x: "ood_score" });
    canvas.addEventListener("click", (event) => {
      const near = this.nearest(...mouse(event));
      if (near) onSelect(near.frame, near.atom);
    });
    canvas.addEventListener("mousemove", (event) => {
      canvas.style.cursor = this.nearest(...mouse(event)) ? "pointer" : "default";
    });
  }

  /** Lay out the dots anew: after a change of the axis or of the size. */
  layOut() {
    const { pen, width, height } = surface(this.canvas);
    const box = { left: 64, right: width - 10, top: 10, bottom: height - 44 };
    const known = [];
    this.data.frames.forEach((frame, f) => {
      const xs = frame.values[this.x], ys = frame.values.forces_uncertainty;
      for (let a = 0; a < ys.length; a++) {
        if (xs[a] !== null && ys[a] !== null) known.push([f, a, xs[a], ys[a]]);
      }
    });
    const x = logScale(known.map((dot) => dot[2]), box.left, box.right);
    const y = logScale(known.map((dot) => dot[3]), box.bottom, box.top);
    this.dots = known.map(([frame, atom, u, v]) =>
      ({ frame, atom, x: x.place(u), y: y.place(v) }));
    if (this.x === "forces_error") this.drawDiagonal(pen, x, y);
    pen.fillStyle = BLUE;
    pen.globalAlpha = this.dots.length > 2000 ? 0.25 : 0.5;
    for (const dot of this.dots) { disc(pen, dot.x, dot.y, 2.5); pen.fill(); }
    pen.globalAlpha = 1;
    const { columns } = this.data;
    drawAxes(pen, box, x, y, withUnit(columns[this.x]), withUnit(columns.forces_uncertainty));
    this.background = document.createElement("canvas");
    this.background.width = this.canvas.width;
    this.background.height = this.canvas.height;
    this.background.getContext("2d").drawImage(this.canvas, 0, 0);
  }

  drawDiagonal(pen, x, y) {
    const low = Math.max(x.low, y.low), high = Math.min(x.high, y.high);
    pen.strokeStyle = FAINT;
    pen.setLineDash([4, 4]);
    if (low < high) line(pen, x.place(low), y.place(low), x.place(high), y.place(high));
    pen.setLineDash([]);
  }

  /** Draw the dots, and over them those of the selected frame and atom. */
  draw(selected) {
    const { pen, width, height } = surface(this.canvas);
    pen.drawImage(this.background, 0, 0, width, height);
    const own = this.dots.filter((dot) => dot.frame === selected.frame);
    pen.fillStyle = ORANGE;
    for (const dot of own) { disc(pen, dot.x, dot.y, 3); pen.fill(); }
    pen.strokeStyle = INK;
    pen.lineWidth = 2;
    for (const dot of own.filter((each) => each.atom === selected.atom)) {
      disc(pen, dot.x, dot.y, 7);
      pen.stroke();
    }
  }

  nearest(x, y) {
    let best = null, least = 64;
    for (const dot of this.dots) {
      const apart = (dot.x - x) ** 2 + (dot.y - y) ** 2;
      if (apart <= least) { best = dot; least = apart; }
    }
    return best;
  }
}

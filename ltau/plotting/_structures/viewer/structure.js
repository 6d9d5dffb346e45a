const MOST_BONDED = 1500; // atoms; the bonds of more are not looked for

/** A structure that can be turned, its atoms coloured by a number. */
class StructureView {
  constructor(canvas, data, onSelect) {
    Object.assign(this, { canvas, data, onSelect, zoom: 1, column: "forces_uncertainty" });
    this.turned = [[1, 0, 0], [0, 0.26, 0.966], [0, -0.966, 0.26]];
    this.ranges = Object.fromEntries(Object.keys(data.columns).map((n) => [n, this.rangeOf(n)]));
    this.listen();
  }

  /** From the least to nearly the largest of a number: a few may be beyond. */
  rangeOf(name) {
    const all = this.data.frames.flatMap((frame) => frame.values[name])
      .filter((v) => v !== null && v < INFINITE).sort((a, b) => a - b);
    if (!all.length) return [0, 1];
    return [all[0], all[Math.floor(0.99 * (all.length - 1))]];
  }

  listen() {
    let last = null, moved = 0;
    this.canvas.addEventListener("pointerdown", (event) => {
      last = mouse(event);
      moved = 0;
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const [x, y] = mouse(event), [dx, dy] = [x - last[0], y - last[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      last = [x, y];
      this.turn(dx / 120, dy / 120);
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const hit = last && moved < 4 ? this.nearest(...mouse(event)) : null;
      last = null;
      if (hit !== null) this.onSelect(this.selected.frame, hit);
    });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom = Math.min(Math.max(this.zoom * Math.exp(-event.deltaY / 500), 0.3), 20);
      this.draw(this.selected);
    }, { passive: false });
  }

  turn(aroundY, aroundX) {
    const [c, s] = [Math.cos(aroundY), Math.sin(aroundY)];
    const [d, t] = [Math.cos(aroundX), Math.sin(aroundX)];
    const by = [[c, 0, s], [s * t, d, -c * t], [-s * d, t, c * d]];
    this.turned = by.map((row) => [0, 1, 2].map((j) =>
      row.reduce((sum, value, k) => sum + value * this.turned[k][j], 0)));
    this.draw(this.selected);
  }

  /** Pairs of atoms that are as near as bonded ones. */
  bonds(frame) {
    if (frame.bonds) return frame.bonds;
    const n = frame.numbers.length, p = frame.positions;
    const radii = frame.numbers.map((number) => this.data.elements[number].radius);
    frame.bonds = [];
    for (let i = 0; i < n && n <= MOST_BONDED; i++) {
      for (let j = i + 1; j < n; j++) {
        const [x, y, z] = [0, 1, 2].map((k) => p[3 * i + k] - p[3 * j + k]);
        const reach = 1.15 * (radii[i] + radii[j]);
        if (x * x + y * y + z * z < reach * reach) frame.bonds.push([i, j]);
      }
    }
    return frame.bonds;
  }

  /** Place all atoms, and the edges of the cell, on the canvas. */
  project(frame, width, height) {
    const points = frame.numbers.map((_, i) => frame.positions.slice(3 * i, 3 * i + 3));
    const corners = frame.cell === null ? [] : [0, 1, 2, 3, 4, 5, 6, 7].map((bits) =>
      [0, 1, 2].map((k) => [0, 1, 2].reduce((sum, v) =>
        sum + ((bits >> v) & 1) * frame.cell[v][k], 0)));
    const all = [...points, ...corners];
    const centre = [0, 1, 2].map((k) => {
      let low = Infinity, high = -Infinity;
      for (const point of all) { low = Math.min(low, point[k]); high = Math.max(high, point[k]); }
      return (low + high) / 2;
    });
    let reach = 0;
    for (const p of all) reach = Math.max(reach, Math.hypot(...p.map((v, k) => v - centre[k])));
    const scale = this.zoom * Math.min(width, height) / (2 * (reach + 0.5));
    const place = (point) => {
      const [x, y, z] = this.turned.map((row) =>
        row.reduce((sum, value, k) => sum + value * (point[k] - centre[k]), 0));
      return { x: width / 2 + scale * x, y: height / 2 - scale * y, z };
    };
    const atoms = points.map((point, i) => ({
      ...place(point), radius: Math.max(2, 0.55 * scale * this.radiusOf(frame, i)),
    }));
    return { atoms, corners: corners.map(place), scale };
  }

  radiusOf(frame, i) {
    return this.data.elements[frame.numbers[i]].radius;
  }

  color(value) {
    if (value === null) return UNKNOWN;
    const [low, high] = this.ranges[this.column];
    return viridis(high > low ? (value - low) / (high - low) : 0.5);
  }

  draw(selected) {
    this.selected = selected;
    const { pen, width, height } = surface(this.canvas);
    const frame = this.data.frames[selected.frame];
    const { atoms, corners, scale } = this.project(frame, width, height);
    this.atoms = atoms;
    this.drawCell(pen, corners);
    const items = [
      ...atoms.map((atom, i) => ({ z: atom.z, draw: () => this.drawAtom(pen, frame, i) })),
      ...this.bonds(frame).map(([i, j]) => ({
        z: Math.min(atoms[i].z, atoms[j].z) - 0.01, // both atoms cover its ends
        draw: () => {
          pen.strokeStyle = "#888";
          pen.lineWidth = Math.max(1, 0.12 * scale);
          line(pen, atoms[i].x, atoms[i].y, atoms[j].x, atoms[j].y);
        },
      })),
    ];
    items.sort((a, b) => a.z - b.z).forEach((item) => item.draw());
  }

  drawCell(pen, corners) {
    pen.strokeStyle = FAINT;
    pen.lineWidth = 1;
    for (let i = 0; i < corners.length; i++) {
      for (const bit of [1, 2, 4].filter((b) => !(i & b))) {
        line(pen, corners[i].x, corners[i].y, corners[i | bit].x, corners[i | bit].y);
      }
    }
  }

  drawAtom(pen, frame, i) {
    const { x, y, radius } = this.atoms[i];
    const value = frame.values[this.column][i];
    pen.fillStyle = this.color(value);
    pen.strokeStyle = INK;
    pen.lineWidth = 1;
    disc(pen, x, y, radius);
    pen.fill();
    pen.stroke();
    if (i === this.selected.atom) {
      pen.strokeStyle = ORANGE;
      pen.lineWidth = 3;
      disc(pen, x, y, radius + 3);
      pen.stroke();
    }
    if (radius < 9) return;
    const [low, high] = this.ranges[this.column];
    pen.fillStyle = value !== null && value < (low + high) / 2 ? "#fff" : "#000";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(this.data.elements[frame.numbers[i]].symbol, x, y);
  }

  /** The atom under the mouse, the foremost one. */
  nearest(x, y) {
    let best = null;
    this.atoms.forEach((atom, i) => {
      const inside = Math.hypot(atom.x - x, atom.y - y) <= atom.radius + 2;
      if (inside && (best === null || atom.z > this.atoms[best].z)) best = i;
    });
    return best;
  }
}

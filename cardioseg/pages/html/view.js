// The interactive page: NiiVue draws image and maps, a canvas above it the outlines of the mask.
// Arrays are [x, y, slice, frame], x rightward and y upward, as the embedded NIfTI files store them.
"use strict";
(async () => {
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const [width, height, slices] = scene.shape;
  const voxels = width * height * slices;
  const at = (id) => document.getElementById(id);
  const overlays = scene.layers.filter((layer) => layer.colours);
  const volumes = {};
  const state = { slice: scene.slice, frame: 0, timer: null };

  // ------------------------------------------------------------------------------------------------------------- volumes

  // One colour per integer: NiiVue stretches 0 to the largest value over 256 colours, so each integer gets its own stretch.
  function steps(colours) {
    const map = { R: [], G: [], B: [], A: [], I: [] };
    const last = colours.length - 1;
    colours.forEach((colour, value) => {
      const [r, g, b] = colour ? [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)) : [0, 0, 0];
      const ends = [value ? Math.floor(((value - 0.5) * 255) / last) + 1 : 0, value === last ? 255 : Math.floor(((value + 0.5) * 255) / last)];
      for (const index of ends) {
        map.R.push(r); map.G.push(g); map.B.push(b); map.A.push(colour ? 255 : 0); map.I.push(index);
      }
    });
    return map;
  }

  async function load(viewer, layer) {
    const base64 = at(`file-${layer.key}`).textContent;
    const range = layer.colours ? [0, layer.colours.length - 1] : scene.window;
    if (layer.colours) viewer.addColormap(layer.key, steps(layer.colours));
    const volume = await niivue.NVImage.loadFromBase64({
      base64, name: `${layer.key}.nii.gz`, colormap: layer.colours ? layer.key : "gray", cal_min: range[0], cal_max: range[1],
      opacity: layer.shown ? layer.opacity / 100 : 0,
    });
    at(`file-${layer.key}`).remove(); // the browser need not hold it twice
    viewer.addVolume(volume);
    volumes[layer.key] = volume;
  }

  // ------------------------------------------------------------------------------------------------------------ outlines

  // Lines between the voxels of a structure and all others in one slice, in voxels; corners are cut (marching squares).
  function outline(value, slice) {
    const from = state.frame * voxels + slice * width * height;
    const mask = volumes.mask.img;
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[from + y * width + x] === value;
    const lines = [];
    for (let y = -1; y < height; y++) {
      for (let x = -1; x < width; x++) {
        const corners = inside(x, y) + 2 * inside(x + 1, y) + 4 * inside(x + 1, y + 1) + 8 * inside(x, y + 1);
        for (const [a, b] of CUTS[corners]) lines.push([x + a[0], y + a[1], x + b[0], y + b[1]]);
      }
    }
    return lines;
  }
  const [LOW, RIGHT, HIGH, LEFT] = [[0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5]];
  const CUTS = [
    [], [[LEFT, LOW]], [[LOW, RIGHT]], [[LEFT, RIGHT]], [[RIGHT, HIGH]], [[LEFT, LOW], [RIGHT, HIGH]], [[LOW, HIGH]], [[LEFT, HIGH]],
    [[HIGH, LEFT]], [[HIGH, LOW]], [[LOW, RIGHT], [HIGH, LEFT]], [[HIGH, RIGHT]], [[RIGHT, LEFT]], [[RIGHT, LOW]], [[LOW, LEFT]], [],
  ];
  const known = new Map();
  function outlines(slice) {
    const key = `${state.frame} ${slice}`;
    if (!known.has(key)) known.set(key, scene.structures.map((s) => [s.colour, outline(s.value, slice)]));
    return known.get(key);
  }

  // Tiles that show a slice as it lies, with what turns voxels into pixels of the canvas.
  function tiles(viewer) {
    return viewer.screenSlices.filter((tile) => tile.axCorSag === 0).map((tile) => {
      const [left, top, w, h] = tile.leftTopWidthHeight;
      const [leftMm, lowMm] = tile.leftTopMM;
      const [across, up] = tile.fovMM;
      return {
        slice: Math.min(slices - 1, Math.max(0, Math.floor(tile.sliceFrac * slices))), box: [left, top, w, h],
        toX: (x) => left + ((x * scene.voxel_mm[0] - leftMm) / across) * w,
        toY: (y) => top + h - ((y * scene.voxel_mm[1] - lowMm) / up) * h,
        fromX: (px) => Math.round((((px - left) / w) * across + leftMm) / scene.voxel_mm[0]),
        fromY: (py) => Math.round((((top + h - py) / h) * up + lowMm) / scene.voxel_mm[1]),
      };
    });
  }

  function drawOutlines(viewer) {
    const paper = at("outlines");
    Object.assign(paper, { width: viewer.canvas.width, height: viewer.canvas.height });
    if (!at("show-outline").checked || !volumes.mask) return;
    const pen = paper.getContext("2d");
    pen.globalAlpha = at("opacity-outline").value / 100;
    pen.lineCap = pen.lineJoin = "round";
    for (const tile of tiles(viewer)) {
      pen.save();
      pen.beginPath(); pen.rect(...tile.box); pen.clip();
      pen.lineWidth = Math.max(1, Math.min(2.2, tile.box[3] / 320)) * (viewer.uiData.dpr || 1);
      for (const [colour, lines] of outlines(tile.slice)) {
        pen.strokeStyle = colour;
        pen.beginPath();
        for (const [x1, y1, x2, y2] of lines) { pen.moveTo(tile.toX(x1), tile.toY(y1)); pen.lineTo(tile.toX(x2), tile.toY(y2)); }
        pen.stroke();
      }
      pen.restore();
    }
  }

  // -------------------------------------------------------------------------------------------------------------- legend

  // How often each value occurs in the frame: volumes of structures in ml, shares of the heart's voxels for the other maps.
  function count() {
    const from = state.frame * voxels;
    const mask = volumes.mask.img;
    const ml = scene.voxel_mm.reduce((a, b) => a * b) / 1000;
    let heart = 0;
    for (let i = from; i < from + voxels; i++) heart += mask[i] > 0;
    for (const { key, colours } of overlays) {
      const counts = new Array(colours.length).fill(0);
      const img = volumes[key].img;
      for (let i = from; i < from + voxels; i++) if (key === "mask" || mask[i] > 0) counts[img[i]]++;
      for (const cell of document.querySelectorAll(`#legend-${key} output`)) {
        const n = counts[Number(cell.dataset.value)];
        cell.textContent = key === "mask" ? `${(n * ml).toFixed(1)} ml` : heart ? `${((100 * n) / heart).toFixed(0)} %` : "–";
      }
    }
  }

  function point(viewer, event) {
    const scale = viewer.canvas.width / viewer.canvas.clientWidth;
    const [px, py] = [event.offsetX * scale, event.offsetY * scale];
    const tile = tiles(viewer).find(({ box: [l, t, w, h] }) => px >= l && px < l + w && py >= t && py < t + h);
    const [x, y] = tile ? [tile.fromX(px), tile.fromY(py)] : [-1, -1];
    if (!tile || x < 0 || y < 0 || x >= width || y >= height) { at("pointer").textContent = ""; return; }
    const index = state.frame * voxels + tile.slice * width * height + y * width + x;
    const words = [`slice ${tile.slice + 1}`];
    for (const { key, names } of overlays) words.push(names[volumes[key].img[index]]);
    at("pointer").textContent = words.filter(Boolean).join(" · ");
  }

  // ------------------------------------------------------------------------------------------------------------ controls

  function showSlice(viewer, slice) {
    state.slice = Math.min(slices - 1, Math.max(0, slice));
    viewer.scene.crosshairPos = [viewer.scene.crosshairPos[0], viewer.scene.crosshairPos[1], (state.slice + 0.5) / slices];
    viewer.drawScene();
    tellPosition();
  }
  function showFrame(viewer, frame) {
    state.frame = (frame + scene.frames) % scene.frames;
    for (const volume of Object.values(volumes)) volume.frame4D = state.frame;
    viewer.updateGLVolume(); // once for all layers; setFrame4D would do it for each
    tellPosition();
    count();
  }
  function tellPosition() {
    at("slice").value = state.slice + 1;
    at("slice-is").textContent = `${state.slice + 1} of ${slices}`;
    at("frame").value = state.frame + 1;
    at("frame-is").textContent = `${state.frame + 1} of ${scene.frames}`;
  }
  function play(viewer) {
    if (state.timer) { clearInterval(state.timer); state.timer = null; }
    else state.timer = setInterval(() => showFrame(viewer, state.frame + 1), scene.frame_ms);
    at("play").textContent = state.timer ? "Pause" : "Play";
    at("play").setAttribute("aria-pressed", String(Boolean(state.timer)));
  }
  function showLayout(viewer, layout) {
    const places = Array.from({ length: slices }, (_, i) => (i * scene.voxel_mm[2]).toFixed(3));
    const fit = (n) => Math.min(viewer.canvas.width / (n * width * scene.voxel_mm[0]), viewer.canvas.height / (Math.ceil(slices / n) * height * scene.voxel_mm[1]));
    const columns = places.map((_, i) => i + 1).reduce((best, n) => (fit(n) > fit(best) ? n : best));
    const rows = [];
    for (let i = 0; i < slices; i += columns) rows.push(places.slice(i, i + columns).join(" "));
    viewer.opts.sliceMosaicString = layout === "all" ? `A ${rows.join(" ; A ")}` : "";
    viewer.opts.crosshairWidth = layout === "planes" ? 1 : 0;
    viewer.setSliceType(layout === "planes" ? viewer.sliceTypeMultiplanar : viewer.sliceTypeAxial);
    at("slice").disabled = layout === "all";
  }
  function showLayer(viewer, key) {
    const shown = at(`show-${key}`).checked ? at(`opacity-${key}`).value / 100 : 0;
    if (key === "outline") drawOutlines(viewer);
    else viewer.setOpacity(viewer.volumes.indexOf(volumes[key]), shown);
  }
  function onKey(viewer, event) {
    if (event.target.matches("input, button")) return;
    const acts = {
      ArrowUp: () => showSlice(viewer, state.slice + 1), ArrowDown: () => showSlice(viewer, state.slice - 1),
      ArrowRight: () => showFrame(viewer, state.frame + 1), ArrowLeft: () => showFrame(viewer, state.frame - 1),
      " ": () => at("play") && play(viewer),
    };
    if (acts[event.key]) { event.preventDefault(); event.stopPropagation(); acts[event.key](); }
  }
  function connect(viewer) {
    at("slice").addEventListener("input", (event) => showSlice(viewer, event.target.value - 1));
    at("frame").addEventListener("input", (event) => showFrame(viewer, event.target.value - 1));
    if (at("play")) at("play").addEventListener("click", () => play(viewer));
    for (const radio of document.querySelectorAll("[name=layout]")) radio.addEventListener("change", () => showLayout(viewer, radio.value));
    for (const { key } of scene.layers) {
      for (const id of [`show-${key}`, `opacity-${key}`]) at(id).addEventListener("input", () => showLayer(viewer, key));
    }
    document.addEventListener("keydown", (event) => onKey(viewer, event), true);
    viewer.canvas.addEventListener("mousemove", (event) => point(viewer, event));
    viewer.canvas.addEventListener("mouseleave", () => { at("pointer").textContent = ""; });
    viewer.onLocationChange = () => {
      state.slice = Math.min(slices - 1, Math.max(0, Math.floor(viewer.scene.crosshairPos[2] * slices)));
      tellPosition();
    };
  }

  // --------------------------------------------------------------------------------------------------------------- start

  function fail(message) {
    at("trouble").hidden = false;
    at("trouble").textContent = message;
    document.body.dataset.state = "failed";
  }
  if (!document.createElement("canvas").getContext("webgl2")) return fail("This page needs WebGL 2, which this browser does not offer.");
  try {
    const viewer = new niivue.Niivue({
      logLevel: "error", backColor: [0, 0, 0, 1], crosshairWidth: 0, crosshairColor: [1, 1, 1, 0.6], isNearestInterpolation: true,
      dragAndDropEnabled: false, isOrientationTextVisible: false, sliceType: 0, multiplanarShowRender: 0, tileMargin: 4,
    });
    await viewer.attachToCanvas(at("volume"));
    // NiiVue tells nobody that it has drawn. The image is smoothed, the maps are not: their tokens are squares.
    const draw = viewer.drawScene.bind(viewer);
    viewer.drawScene = () => { if (viewer.volumes.length) viewer.updateInterpolation(0, true); draw(); drawOutlines(viewer); };
    for (const layer of scene.layers) if (at(`file-${layer.key}`)) await load(viewer, layer);
    connect(viewer);
    showFrame(viewer, scene.frame);
    showSlice(viewer, scene.slice);
    globalThis.viewer = viewer; // for the browser's console
    at("trouble").hidden = true;
    document.body.dataset.state = "ready";
  } catch (error) {
    console.error(error);
    fail(`This page could not be drawn: ${error.message}`);
  }
})();

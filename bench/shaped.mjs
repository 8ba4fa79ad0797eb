// Prunes some layers of a real model's shapes and tells what all of them would take.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseByteSize } from "../dist/options/prune.js";
import { prune } from "./pruning.mjs";
import { SHAPES, writeShapedCheckpoint } from "./shaped-checkpoint.mjs";

/** How a stage grows with the number of layers; what is not here is done once. */
const GROWTH = {
  gradient: (layers) => layers,
  "layer-importance": (layers) => layers,
  ablation: (layers) => layers * (layers + 3), // a layer takes all copies of the states that the layers before it have left
  "dense-sums": (layers) => layers,
  trial: (layers) => layers,
  prune: (layers) => layers,
  verify: (layers) => layers,
};

/** Prints a table of the stages, and the peak of memory beside the limit; sets the exit code where that is not kept. */
export async function benchShape(name, { layers, samples, memory }, folder) {
  const shape = SHAPES[name];
  if (shape === undefined) throw new Error(`there is no shape ${name}: ${Object.keys(SHAPES).join(", ")}`);
  const [model, output] = [join(folder, name), join(folder, "out")];
  writeShapedCheckpoint(model, shape, layers);
  // of the layers alone: the embedding is large beside a few of them, and they would have to give for it too
  // and no text of the model's own: a few layers would fit into memory for that, all of them would not
  const more = ["--sparsity-of", "decoder", "--own-text", "0"];
  const { stages, seconds, peakBytes } = await prune(model, output, { samples, memory, more });
  rmSync(output, { recursive: true });
  console.log(`| stage | ${layers} layers, s | ${shape.layers} layers, s |\n|---|---|---|`);
  const all = Object.entries(stages).map(([stage, taken]) => {
    const grow = GROWTH[stage] ?? (() => 1);
    const expected = (taken * grow(shape.layers)) / grow(layers);
    console.log(`| ${stage} | ${taken.toFixed(1)} | ${expected.toFixed(0)} |`);
    return expected;
  });
  const hours = all.reduce((sum, expected) => sum + expected, 0) / 3600;
  console.log(`| in all | ${seconds.toFixed(1)} | ${(3600 * hours).toFixed(0)} (${hours.toFixed(1)} h) |\n`);
  const kept = memory === undefined || peakBytes <= parseByteSize(memory);
  const verdict = memory === undefined ? "" : `, --memory ${memory} ${kept ? "is kept" : "IS NOT KEPT"}`;
  console.log(`peak of memory ${(peakBytes / 1e9).toFixed(2)} GB${verdict}`);
  if (!kept) process.exitCode = 1;
}

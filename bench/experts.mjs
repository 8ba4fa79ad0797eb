// Removes a quarter of the experts of some layers of Qwen3-30B-A3B's shapes and tells what all of them would take.
import { statSync } from "node:fs";
import { join } from "node:path";
import { LAYERS, writeExpertsCheckpoint } from "./experts-checkpoint.mjs";
import { prune } from "./pruning.mjs";

/** What is done once, whatever the number of layers. */
const ONCE = ["start", "calibration", "own-text", "write"];

/** Prints a table of the stages, and the peak of memory beside the most that is allowed; sets the exit code where it is passed. */
export async function benchExperts({ layers, samples, memory = "1.5GB", most = 1.5e9 }, folder) {
  const [model, output] = [join(folder, "experts.gguf"), join(folder, "out.gguf")];
  await writeExpertsCheckpoint(model, layers);
  const more = ["--experts", "25%", "--sparsity", "0", "--own-text", "0"];
  const { stages, seconds, peakBytes } = await prune(model, output, { samples, memory, more });
  const gigabytes = (path) => (statSync(path).size / 1e9).toFixed(2);
  console.log(`Q4_K, ${gigabytes(model)} GB → ${gigabytes(output)} GB\n`);
  console.log(`| stage | ${layers} layers, s | ${LAYERS} layers, s |\n|---|---|---|`);
  let all = 0;
  for (const [stage, taken] of Object.entries(stages)) {
    const expected = ONCE.includes(stage) ? taken : (taken * LAYERS) / layers;
    all += expected;
    console.log(`| ${stage} | ${taken.toFixed(1)} | ${expected.toFixed(0)} |`);
  }
  console.log(`| in all | ${seconds.toFixed(1)} | ${all.toFixed(0)} (${(all / 3600).toFixed(1)} h) |\n`);
  console.log(`peak of memory ${(peakBytes / 1e9).toFixed(2)} GB of ${(most / 1e9).toFixed(2)} GB allowed`);
  if (peakBytes > most) process.exitCode = 1;
}

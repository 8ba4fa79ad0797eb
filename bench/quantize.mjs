// Quantizes normal values to each type and prints a table row each: milliseconds of one core for a million of them.
//   npm run build && node bench/quantize.mjs
import { cpus } from "node:os";
import { encode } from "../dist/checkpoint/dtype.js";
import { QUANTIZERS } from "../dist/checkpoint/quantize/index.js";

const COLUMNS = 2048;
const ROWS = 128;
const REPEATS = 5;

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const values = Float32Array.from({ length: ROWS * COLUMNS }, () => 0.02 * normal());
const importance = Float32Array.from({ length: COLUMNS }, () => normal() ** 2 + 1e-3);

console.log(`${cpus()[0].model}, node ${process.version}\n`);
console.log("| type | ms a million | with importance |");
console.log("|---|---|---|");
for (const dtype of Object.keys(QUANTIZERS))
  console.log(`| ${dtype} | ${milliseconds(dtype)} | ${milliseconds(dtype, importance)} |`);

/** The least of some runs, the first of which the compiler takes part in. */
function milliseconds(dtype, weights) {
  const runs = Array.from({ length: REPEATS }, () => {
    const { user } = process.cpuUsage();
    encode(dtype, values, weights);
    return (process.cpuUsage().user - user) / 1000;
  });
  return ((Math.min(...runs) / values.length) * 1e6).toFixed(0);
}

// Prunes a model with a profiler beside it and prints the share of the time that goes into decoding and quantizing weights.
//   npm run build && node bench/quantize-share.mjs [MODEL] [--dtype q4_k_m] [--samples N]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  options: { dtype: { type: "string", default: "q4_k_m" }, samples: { type: "string", default: "64" } },
  allowPositionals: true,
});
const model = positionals[0] ?? "models/demo";
const folder = mkdtempSync(join(tmpdir(), "comp-bench-"));

/** Where values become blocks, and blocks values. */
const CODECS = /checkpoint\/((de)?quantize\/|dtype|float16|small-floats)/;

try {
  const profiler = ["--cpu-prof", "--cpu-prof-dir", folder];
  const output = ["-o", join(folder, "out.gguf"), "--dtype", values.dtype];
  const text = ["--calibration", "data/calibration-mix.txt", "--samples", values.samples];
  const run = spawnSync(process.execPath, [...profiler, "dist/cli/main.js", "prune", model, ...output, ...text], {
    encoding: "utf8",
  });
  if (run.status !== 0) throw new Error(run.stderr.trim().split("\n").at(-1));
  const { codecs, whole } = timesIn(
    join(
      folder,
      readdirSync(folder).find((file) => file.endsWith(".cpuprofile")),
    ),
  );
  console.log(
    `${cpus().length} × ${cpus()[0].model}, node ${process.version}, ${values.samples} windows of 256 tokens\n`,
  );
  console.log("| model | written as | seconds | decoding and quantizing | share |");
  console.log("|---|---|---|---|---|");
  const cells = [
    basename(model),
    values.dtype,
    whole.toFixed(1),
    codecs.toFixed(1),
    `${((100 * codecs) / whole).toFixed(1)} %`,
  ];
  console.log(`| ${cells.join(" | ")} |`);
} finally {
  rmSync(folder, { recursive: true });
}

/** Seconds of a profile: those in the codecs themselves, and all. */
function timesIn(file) {
  const { nodes, samples, timeDeltas, startTime, endTime } = JSON.parse(readFileSync(file, "utf8"));
  const isCodec = new Set(nodes.filter(({ callFrame }) => CODECS.test(callFrame.url)).map(({ id }) => id));
  const codecs = samples.reduce((sum, id, i) => (isCodec.has(id) ? sum + timeDeltas[i] : sum), 0);
  return { codecs: codecs / 1e6, whole: (endTime - startTime) / 1e6 };
}

// A fifth of a model by neurons alone and by its vocabulary alone, and half of it by both: KL divergence over the tokens that stay,
// tokens a byte and bytes on judged texts, as the table of docs/vocabulary.md. Takes about an hour on two cores for Gemma 3 270M.
//   npm run build && node bench/vocabulary.mjs MODEL --vocabulary FILE … --calibration FILE --text FILE … [--bos]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { readText } from "../dist/index.js";

const list = { type: "string", multiple: true, default: [] };
const { values, positionals } = parseArgs({
  options: { vocabulary: list, calibration: list, text: list, bos: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [model] = positionals;
const flags = (name) => values[name].flatMap((file) => [`--${name}`, file]);
const cutting = [...flags("vocabulary"), "--vocabulary-size", "auto"];
const RUNS = [
  ["neurons alone", ["--sparsity", "0.2"]],
  ["vocabulary alone", ["--sparsity", "0.2", ...cutting]],
  ["both", ["--sparsity", "0.5", ...cutting]],
];
const folder = mkdtempSync(join(tmpdir(), "comp-bench-"));

function comp(...argv) {
  const run = spawnSync(process.execPath, ["dist/cli/main.js", ...argv], { encoding: "utf8", maxBuffer: 2 ** 28 });
  if (run.status !== 0) throw new Error(run.stderr.trim());
  return run.stdout;
}

/** KL divergence, and tokens a byte of the whole text. */
async function judge(output, file) {
  const argv = ["eval", output, "--dense", model, "--text", file, "--json", ...(values.bos ? ["--bos"] : [])];
  const { klDivergence } = JSON.parse(comp(...argv));
  const { text } = await readText(file);
  const content = typeof text === "string" ? text : text.join("\n\n");
  const { whole } = JSON.parse(comp("vocabulary", output, "--text", file, "--json"));
  return `${klDivergence.toFixed(4)}, ${(whole.texts[0].tokens.before / Buffer.byteLength(content)).toFixed(4)}`;
}

try {
  console.log(`| removed | by | tokens | weights, MB | ${values.text.map((file) => basename(file)).join(" | ")} |`);
  console.log(`|---|---|---|---|${values.text.map(() => "---").join("|")}|`);
  for (const [name, options] of RUNS) {
    const output = join(folder, name.replaceAll(" ", "-"));
    comp("prune", model, ...options, ...flags("calibration"), "-o", output);
    const { vocab_size: tokens } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
    const megabytes = statSync(join(output, "model.safetensors")).size / 1e6;
    const judged = [];
    for (const file of values.text) judged.push(await judge(output, file));
    console.log(`| ${options[1]} | ${name} | ${tokens} | ${megabytes.toFixed(1)} | ${judged.join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

// How much of what the processor can multiply a run does multiply, by stage: the products of its graphs, counted from their shapes,
// against the fastest product of the machine. What is left goes to what is no product, to JavaScript, and to waiting.
//   npm run bench -- --roofline [--samples N] [--memory SIZE] [MODEL ...]
import { readFileSync } from "node:fs";
import { productFlops, timeProduct } from "../dist/compute/time-product.js";
import { nodeBackend, nodeHost } from "../dist/node/host.js";
import { openPath } from "../dist/node/open-path.js";
import { stageFolder } from "../dist/node/output-folder.js";
import { PruneOptions } from "../dist/options/prune.js";
import { parseOptions } from "../dist/options/schema.js";
import { pruneCheckpoint } from "../dist/tasks/prune-checkpoint.js";

const LARGE = { rows: 2048, inner: 1024, cols: 1024 };
const REPEATS = 8;
const TEXT = "data/calibration-mix.txt";

/** Prunes a model by a fifth and prints a table row for each stage. */
export async function roofline(model, output, { samples, memory }) {
  const limit = await fastestProduct();
  const stages = new Stages();
  const backend = counting(nodeBackend(), stages);
  const machine = nodeHost({ backend, outputFormat: "safetensors", place: output, threads: undefined, noCache: true });
  const host = { ...machine, createOutput: () => stageFolder(output, { overwrite: true }) };
  const calibration = [{ name: "mix", text: readFileSync(TEXT, "utf8") }];
  const options = parseOptions(PruneOptions, { sparsity: 0.2, samples: Number(samples), calibration, memory });
  const checkpoint = await openPath(model);
  await pruneCheckpoint(checkpoint, options, host, (event) => stages.hear(event));
  await checkpoint.close();
  console.log(`${model}: ${(limit / 1e9).toFixed(0)} GFLOP/s in f32\n`);
  console.log("| stage | seconds | TFLOP | share of the limit | in graphs, of the time | there, share | page faults |");
  console.log("|---|---|---|---|---|---|---|");
  for (const [name, stage] of [...stages.ended(), ["all", stages.total]]) console.log(renderRow(name, stage, limit));
}

/** Multiplications and additions a second: the best of some, since others may be at work. */
async function fastestProduct() {
  const backend = nodeBackend();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPEATS; i++)
    best = Math.min(best, (await timeProduct(backend, LARGE, () => performance.now() / 1000)).seconds);
  return productFlops(LARGE) / best;
}

const nothing = () => ({ seconds: 0, graphSeconds: 0, flops: 0, faults: 0 });

/** What each stage has taken; it lasts until another is heard of. */
class Stages {
  #stages = new Map();
  #name = "start";
  #since = performance.now();
  #faults = process.resourceUsage().minorPageFault;
  total = nothing();

  hear(event) {
    const name = event.type === "stage" ? event.name : this.#name;
    if (name !== this.#name) this.#enter(name);
  }

  /** A graph has run. */
  add(flops, milliseconds) {
    this.#count({ flops, graphSeconds: milliseconds / 1000 });
  }

  ended() {
    this.#enter("end");
    return this.#stages;
  }

  #enter(name) {
    const [now, faults] = [performance.now(), process.resourceUsage().minorPageFault];
    this.#count({ seconds: (now - this.#since) / 1000, faults: faults - this.#faults });
    [this.#name, this.#since, this.#faults] = [name, now, faults];
  }

  #count(figures) {
    const stage = this.#stages.get(this.#name) ?? nothing();
    this.#stages.set(this.#name, stage);
    for (const sums of [stage, this.total]) for (const key of Object.keys(figures)) sums[key] += figures[key];
  }
}

/** The backend, which tells of each run. */
const counting = (backend, stages) => ({
  device: backend.device,
  async compile(graph, options) {
    const program = await backend.compile(graph, options);
    const flops = options?.anyShape ? undefined : graphFlops(graph);
    return {
      async run(inputs, into) {
        const start = performance.now();
        const outputs = await program.run(inputs, into);
        stages.add(flops ?? productOf(inputs, outputs), performance.now() - start);
        return outputs;
      },
      release: () => program.release(),
    };
  },
});

/** Of all products that an output depends on. */
function graphFlops(graph) {
  const needed = new Set(graph.outputs.values());
  let flops = 0;
  for (const value of [...graph.values].reverse()) {
    if (!needed.has(value)) continue;
    for (const input of value.inputs) needed.add(input);
    if (value.operation?.name === "gemm" || value.operation?.name === "matmul")
      flops += 2 * count(value.shape) * innerSize(value);
  }
  return flops;
}

const count = (shape) => shape.reduce((product, size) => product * size, 1);

const innerSize = ({ inputs: [a], attributes }) => a.shape.at(attributes.transA ? -2 : -1);

/** Of one product y = a b of any shape: |a| |b| |y| = (rows · inner · cols)². In f64 a processor does half as many. */
function productOf({ a, b }, { y }) {
  const flops = 2 * Math.sqrt(a.data.length * b.data.length * y.data.length);
  return y.data instanceof Float64Array ? 2 * flops : flops;
}

function renderRow(name, { seconds, graphSeconds, flops, faults }, limit) {
  const share = (ofSeconds) => (ofSeconds > 0 ? (flops / limit / ofSeconds).toFixed(2) : "");
  const inGraphs = `${((100 * graphSeconds) / seconds).toFixed(0)} %`;
  const cells = [name, seconds.toFixed(1), (flops / 1e12).toFixed(2), share(seconds), inGraphs, share(graphSeconds)];
  return `| ${[...cells, `${(faults / 1e3).toFixed(0)} k`].join(" | ")} |`;
}

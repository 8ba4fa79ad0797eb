// The order of a comparison, what it remembers, and what it survives, on a host that computes nothing.
import { expect, test } from "vitest";
import { CompError } from "../../src/errors.ts";
import type { CompareEvent, Comparison } from "../../src/events/compare.ts";
import { CompareOptions } from "../../src/options/compare.ts";
import { parseOptions } from "../../src/options/schema.ts";
import { comparePresets, parsePresets } from "../../src/tasks/compare.ts";
import type { CompareHost, ComparisonRequest } from "../../src/tasks/compare-rows.ts";
import { cell } from "../helpers/comparison.ts";
import { pruneResult } from "../helpers/prune-result.ts";

const text = { name: "notes.txt", text: "Some text." };

const requestOf = (options: object, over: object = {}): ComparisonRequest => ({
  options: parseOptions(CompareOptions, options),
  calibration: [text],
  texts: [text],
  machine: { device: "cpu", cores: 2 },
  dense: { model: "m", fingerprint: "ab12", dense: { parameters: 3, decoderParameters: 2, bytes: 6 } },
  others: [],
  ...over,
});

/** A host that keeps records, and a log of what it was asked to do. */
function fakeHost(records = new Map<string, string>(), failing: string[] = []) {
  const log: string[] = [];
  const published: number[] = [];
  const host: CompareHost = {
    async prune({ preset, sparsity }, report) {
      log.push(`prune ${preset} ${sparsity}`);
      report({ type: "stage", name: "prune", done: 0, total: 1 });
      if (failing.includes(preset)) throw new CompError("budget", "out of reach");
      return { path: `${preset}-${sparsity}`, result: pruneResult };
    },
    async judge({ path = "dense", dtype }, { name }) {
      const model = dtype === undefined ? path : `${path} in ${dtype}`;
      log.push(`judge ${model} on ${name}`);
      return { ...cell.texts[0]!, model };
    },
    async judgeOther(path, { name }) {
      log.push(`judge ${path} by itself on ${name}`);
      return { ...cell.texts[0]!, model: path };
    },
    async answer({ path = "dense", dtype }, { names, limit }) {
      log.push(`ask ${path}${dtype === undefined ? "" : ` in ${dtype}`}`);
      return Object.fromEntries(names.map((name) => [name, { acc: 0.5, accStderr: 0.1, n: limit }]));
    },
    bytesIn: async (dtype, path = "dense") => (path === "dense" ? 5 : 4) * (dtype === "q4_k_m" ? 10 : 20),
    publish: async ({ cells }) => void published.push(cells.length),
    discard: async (path) => void log.push(`discard ${path}`),
    recall: async (key) => records.get(key),
    record: async (key, record) => void records.set(key, record),
  };
  return { host, log, records, published };
}

async function run(
  request: ComparisonRequest,
  host: CompareHost,
): Promise<{ events: CompareEvent[]; last: Comparison }> {
  const events: CompareEvent[] = [];
  const last = await comparePresets(request, host, (event) => events.push(event));
  return { events, last };
}

test("cells go by sparsity, then by preset; each model is judged on every text and then discarded", async () => {
  const { host, log } = fakeHost();
  const other = { name: "b.txt", text: "Other text." };
  const request = requestOf({ presets: "flap,best", sparsity: [0.3, 0.1] }, { texts: [text, other] });
  const { last } = await run(request, host);
  expect(log.slice(0, 4)).toEqual([
    "prune flap 0.1",
    "judge flap-0.1 on notes.txt",
    "judge flap-0.1 on b.txt",
    "discard flap-0.1",
  ]);
  expect(last.cells.map(({ preset, sparsity }) => `${preset} ${sparsity}`)).toEqual([
    "flap 0.1",
    "best 0.1",
    "flap 0.3",
    "best 0.3",
  ]);
  expect(last.cells[0]).toMatchObject({ parameters: 107_612_006, reached: pruneResult.sparsity, seconds: 151.2 });
});

test("what is recorded is not computed again", async () => {
  const { host, records } = fakeHost();
  const first = await run(requestOf({ presets: "flap", sparsity: [0.1, 0.2] }), host);
  const again = fakeHost(records);
  const { events, last } = await run(requestOf({ presets: "flap,best", sparsity: [0.1, 0.2] }), again.host);
  expect(again.log.filter((line) => line.startsWith("prune"))).toEqual(["prune best 0.1", "prune best 0.2"]);
  expect(last.cells.filter(({ preset }) => preset === "flap")).toEqual(first.last.cells);
  expect(events.flatMap((event) => (event.type === "result" ? [event.reused] : []))).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

test.each<[string, object, object]>([
  ["another setting", { samples: 7 }, {}],
  ["another model", {}, { dense: { ...requestOf({}).dense, fingerprint: "cd34" } }],
  ["another calibration text", {}, { calibration: [{ ...text, text: "Changed." }] }],
  ["another text to judge on", {}, { texts: [{ ...text, text: "Changed." }] }],
])("%s makes another cell", async (_, options, over) => {
  const { host, records } = fakeHost();
  await run(requestOf({ presets: "flap" }), host);
  const again = fakeHost(records);
  await run(requestOf({ presets: "flap", ...options }, over), again.host);
  expect(again.log[0]).toBe("prune flap 0.2");
});

test("quantizations come first, then other models; a pruned model is judged in each type from one pruning", async () => {
  const { host, log } = fakeHost();
  const other = { against: "next", parameters: 2, decoderParameters: 1, bytes: 3, fingerprint: "ef56" };
  const options = { presets: "flap", quantized: "q8_0,q4_k_m", dtypes: "f16,q4_k_m" };
  const { last } = await run(requestOf(options, { others: [other] }), host);
  expect(log).toEqual([
    "judge dense in q8_0 on notes.txt",
    "judge dense in q4_k_m on notes.txt",
    "judge next by itself on notes.txt",
    "prune flap 0.2",
    "judge flap-0.2 in f16 on notes.txt",
    "judge flap-0.2 in q4_k_m on notes.txt",
    "discard flap-0.2",
  ]);
  expect(last.quantized.map(({ quantized, bytes }) => [quantized, bytes])).toEqual([
    ["q8_0", 100],
    ["q4_k_m", 50],
  ]);
  expect(last.against).toMatchObject([{ against: "next", bytes: 3, texts: [{ text: "notes.txt" }] }]);
  expect(last.cells).toMatchObject([
    { preset: "flap", dtype: "f16", bytes: 80 },
    { preset: "flap", dtype: "q4_k_m", bytes: 40 },
  ]);
});

test("tasks are asked of every model, of the dense one first, and answers are recorded", async () => {
  const { host, log, records } = fakeHost();
  const other = { against: "next", parameters: 2, decoderParameters: 1, bytes: 3, fingerprint: "ef56" };
  const asked = { others: [other], tasks: { names: ["piqa"] as const, limit: 20, data: "data" } };
  const request = requestOf({ presets: "flap", quantized: "q8_0" }, asked);
  const { last } = await run(request, host);
  expect(log.filter((line) => line.startsWith("ask"))).toEqual([
    "ask dense",
    "ask dense in q8_0",
    "ask next",
    "ask flap-0.2",
  ]);
  const tasks = { piqa: { acc: 0.5, accStderr: 0.1, n: 20 } };
  expect(last).toMatchObject({
    dense: { bytes: 6, tasks },
    quantized: [{ tasks }],
    against: [{ tasks }],
    cells: [{ tasks }],
  });
  const again = fakeHost(records);
  expect((await run(request, again.host)).last).toEqual(last);
  expect(again.log).toEqual([]);
  const more = fakeHost(records);
  await run(requestOf({ presets: "flap" }, { tasks: { ...asked.tasks, limit: 21 } }), more.host);
  expect(more.log.filter((line) => line.startsWith("ask"))).toEqual(["ask dense", "ask flap-0.2"]);
});

test("another quantization beside it leaves a cell as it is, another model to compare with is judged anew", async () => {
  const { host, records } = fakeHost();
  const other = { against: "next", parameters: 2, decoderParameters: 1, bytes: 3, fingerprint: "ef56" };
  await run(requestOf({ presets: "flap" }, { others: [other] }), host);
  const again = fakeHost(records);
  const others = [{ ...other, fingerprint: "0a1b" }];
  await run(requestOf({ presets: "flap", quantized: "q8_0" }, { others }), again.host);
  expect(again.log).toEqual(["judge dense in q8_0 on notes.txt", "judge next by itself on notes.txt"]);
});

test("a type that a pruned model cannot have is told in its row", async () => {
  const { host, records } = fakeHost();
  const refusing: CompareHost = {
    ...host,
    async bytesIn(dtype) {
      if (dtype === "q4_k_m") throw new CompError("architecture", "no form for it");
      return 80;
    },
  };
  const { last } = await run(requestOf({ presets: "flap", dtypes: "f16,q4_k_m" }), refusing);
  expect(last.cells).toMatchObject([
    { dtype: "f16", bytes: 80 },
    { dtype: "q4_k_m", failure: "no form for it" },
  ]);
  expect(records.size).toBe(0);
});

test("what is known is published after each cell, with its stages told before", async () => {
  const { host, published } = fakeHost();
  const { events } = await run(requestOf({ presets: "flap,best" }), host);
  expect(published).toEqual([1, 2]);
  expect(events.map(({ type }) => type)).toEqual(["cell", "stage", "result", "cell", "stage", "result"]);
});

test("another number of threads does not", async () => {
  const { host, records } = fakeHost();
  await run(requestOf({ presets: "flap" }), host);
  const again = fakeHost(records);
  await run(requestOf({ presets: "flap", threads: 1 }), again.host);
  expect(again.log).toEqual([]);
});

test("a cell that fails is told as such, and is tried again the next time", async () => {
  const { host, records } = fakeHost(new Map(), ["llm-pruner"]);
  const { last } = await run(requestOf({ presets: "llm-pruner,flap" }), host);
  expect(last.cells).toMatchObject([{ preset: "llm-pruner", failure: "out of reach" }, { preset: "flap" }]);
  const again = fakeHost(records);
  await run(requestOf({ presets: "llm-pruner,flap" }), again.host);
  expect(again.log[0]).toBe("prune llm-pruner 0.2");
});

test("a fault that is not the cell's ends the run, and the model is discarded", async () => {
  const { host, log } = fakeHost();
  const broken: CompareHost = {
    ...host,
    async judge() {
      throw new TypeError("x");
    },
  };
  await expect(run(requestOf({ presets: "flap" }), broken)).rejects.toThrow(TypeError);
  expect(log).toEqual(["prune flap 0.2", "discard flap-0.2"]);
});

test("presets are all, or a list without repetition", () => {
  expect(parsePresets("flap, best,flap")).toEqual(["flap", "best"]);
  expect(parsePresets("all")).toHaveLength(9);
  expect(() => parsePresets("flap,flip")).toThrow(
    expect.objectContaining({ kind: "option", message: "there is no preset flip" }),
  );
});

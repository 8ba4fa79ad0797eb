// The public functions on the demo model: what they tell at last, and how they refuse and stop.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as library from "../../src/index.ts";
import { DEMO_MODEL as model, ROOT } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { prose } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const { compare, curve, evaluate, generate, inspect, prune } = library;

async function all<Event>(events: AsyncIterable<Event>): Promise<Event[]> {
  const seen: Event[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

test("the public functions are those of the commands, of texts, and of a criterion of one's own", () => {
  const functions = Object.entries(library).filter(([, value]) => typeof value === "function");
  const names = [
    "CompError",
    "bench",
    "byScore",
    "clearCache",
    "compare",
    "curve",
    "evaluate",
    "fit",
    "generate",
    "inspect",
    "inspectCache",
    "prune",
    "readText",
    "removeLowest",
    "verifyCheckpoint",
    "vocabulary",
  ];
  expect(functions.map(([name]) => name).sort()).toEqual(names);
});

test("inspect tells what the headers say", async () => {
  const { num_hidden_layers, hidden_size } = JSON.parse(readFileSync(join(model, "config.json"), "utf8"));
  const { layers, hiddenSize, format } = await inspect({ model });
  expect([layers.length, hiddenSize, format]).toEqual([num_hidden_layers, hidden_size, "safetensors"]);
  expect((await compError(inspect({ model: join(ROOT, "no-such-model") }))).kind).toBe("checkpoint");
});

test("generate tells token by token, and all of it at the end", async () => {
  const events = await all(generate({ model, prompt: "The old man", maxTokens: 5 }));
  const tokens = events.flatMap((event) => (event.type === "token" ? [event] : []));
  expect(events.at(-1)).toEqual({
    type: "done",
    result: {
      prompt: "The old man",
      text: tokens.map(({ text }) => text).join(""),
      tokens: tokens.map(({ id }) => id),
      device: "cpu",
    },
  });
  expect(tokens).toHaveLength(5);
});

test("evaluate finds no divergence of a model from itself", async () => {
  const events = await all(evaluate({ model, text: prose, dense: model, context: 64, windows: 2 }));
  expect(events.slice(0, -1).every(({ type }) => type === "stage")).toBe(true);
  expect(events.at(-1)).toMatchObject({
    type: "done",
    result: { text: "prose.txt", windows: 2, tokens: 126, klDivergence: expect.closeTo(0, 6), topOneAgreement: 1 },
  });
});

describe("options that make no sense are refused by", () => {
  const texts = [prose];
  test.each<[string, () => AsyncGenerator, string]>([
    ["prune", () => prune({ model, output: "out", sparsity: 2 }), "sparsity must be between 0 and 0.95, got 2"],
    ["curve", () => curve({ model, samples: 0 }), "samples must be a whole number between 1 and 65536, got 0"],
    ["compare", () => compare({ model, texts, output: "out", presets: "flip" }), "there is no preset flip"],
    ["evaluate", () => evaluate({ model, text: prose, windows: -1 }), "windows must be a whole number between 0 and"],
    ["generate", () => generate({ model, maxTokens: 0 }), "maxTokens must be a whole number between 1 and"],
  ])("%s", async (_, call, message) => {
    const error = await compError(call().next());
    expect(error.kind).toBe("option");
    expect(error.message).toContain(message);
  });
});

describe("a signal that has been given stops", () => {
  const signal = AbortSignal.abort();
  test.each<[string, (folder: string) => AsyncGenerator, string]>([
    ["prune", (folder) => prune({ model, output: join(folder, "out"), signal }), "stopped; nothing was written"],
    ["curve", () => curve({ model, preset: "wanda-sp", calibration: [prose], signal }), "stopped"],
    [
      "compare",
      (folder) => compare({ model, texts: [prose], output: folder, signal }),
      "stopped; the cells that are finished stay in ",
    ],
    ["evaluate", () => evaluate({ model, text: prose, windows: 1, signal }), "stopped"],
    ["generate", () => generate({ model, signal }), "stopped"],
  ])("%s", async (_, call, message) => {
    const error = await compError(all(call(temporaryFolder())));
    expect(error.kind).toBe("aborted");
    expect(error.message).toContain(message);
  });
});

test("who reads no further stops the run, and nothing is left of it", async () => {
  const folder = temporaryFolder();
  const small = { preset: "wanda-sp" as const, calibration: [prose], samples: 8, context: 32 };
  for await (const event of prune({ model, output: join(folder, "out"), ...small })) if (event.type === "layer") break;
  expect(readdirSync(folder)).toEqual([]);
});

import { describe, expect, test } from "vitest";
import { type CalibrationRequest, prepareCalibration } from "../../src/calibration/prepare.ts";
import { openModel } from "../../src/model/model.ts";
import { nodeBackend } from "../../src/node/backend.ts";
import { openPath } from "../../src/node/open-path.ts";
import { pruneOptions } from "../../src/presets.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { tinyPath } from "../helpers/fixtures.ts";

const model = await openModel(await openPath(tinyPath("llama")));
const tokenizer: Tokenizer = {
  encode: (text) => [...text].map((character) => character.charCodeAt(0) % 90),
  decode: () => "",
  bosTokenId: 95,
  eosTokenIds: [94],
  addsBos: true,
  vocabSize: 96,
};
const alphabet = "abcdefghijklmnopqrstuvwxyz".repeat(40);

async function prepare(options: object, change: Partial<CalibrationRequest> = {}) {
  const parsed = pruneOptions({ samples: 6, context: 10, ...options });
  const bundledText = async () => ({ name: "bundled", text: alphabet });
  const base = { backend: nodeBackend(1), model, tokenizer, options: parsed, bundledText, budgetBytes: 2 ** 30 };
  const steps = prepareCalibration({ ...base, ...change });
  for (;;) {
    const step = await steps.next();
    if (step.done) return step.value;
  }
}

const given = { calibration: [{ name: "a.txt", text: alphabet }] };

describe("windows", () => {
  test("are as many and as long as asked for, BOS on top, with eight more held out", async () => {
    const { windows, heldOut, summary } = await prepare(given);
    expect([windows.count, windows.length, heldOut.count, heldOut.length]).toEqual([6, 11, 8, 11]);
    expect([...windows.ids].filter((_, i) => i % 11 === 0)).toEqual(new Array(6).fill(95));
    expect(summary).toEqual({ source: "file", names: ["a.txt"], windows: 6, context: 10, tokens: 60 });
  });

  test("have no BOS where the model's own tokenizer adds none", async () => {
    const { windows } = await prepare(given, { tokenizer: { ...tokenizer, addsBos: false } });
    expect(windows.length).toBe(10);
    expect(windows.ids.includes(95)).toBe(false);
  });
});

describe("the source", () => {
  test("is the model itself when no text is given", async () => {
    expect((await prepare({})).summary).toMatchObject({ source: "self-generated", names: [] });
  });

  test("is the bundled text when the model does not fit into memory, or has no token to begin with", async () => {
    expect((await prepare({}, { budgetBytes: 1 })).summary).toMatchObject({ source: "bundled", names: ["bundled"] });
    const mute = { ...tokenizer, bosTokenId: undefined, eosTokenIds: [], addsBos: false };
    expect((await prepare({}, { tokenizer: mute })).summary.source).toBe("bundled");
  });

  test("without a word is refused, by name", () =>
    expect(prepare({ calibration: [{ name: "empty.txt", text: "" }] })).rejects.toThrow(
      "there is no text in empty.txt",
    ));
});

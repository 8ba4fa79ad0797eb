import { afterAll, describe, expect, test } from "vitest";
import { type Calibration, type CalibrationRequest, prepareCalibration } from "../../src/calibration/prepare.ts";
import { generateSamples } from "../../src/calibration/self-generated.ts";
import type { TokenWindows } from "../../src/model/spec/token-windows.ts";
import type { MemoryShares } from "../../src/run-context.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { methodOf } from "../helpers/method.ts";
import { AMPLE, openTiny, testRun } from "../helpers/run.ts";

const { model, close } = await openTiny("llama");
afterAll(close);

const tokenizer: Tokenizer = {
  encode: (text) => [...text].map((character) => character.charCodeAt(0) % 90),
  decode: () => "",
  token: () => undefined,
  bosTokenId: 95,
  eosTokenIds: [94],
  addsBos: true,
  vocabSize: 96,
};
const alphabet = "abcdefghijklmnopqrstuvwxyz".repeat(40);

interface Change extends Partial<CalibrationRequest> {
  readonly memory?: MemoryShares;
}

const NO_ROOM: MemoryShares = { ...AMPLE, ownText: "none" };

function prepare(options: object, { memory = AMPLE, ...change }: Change = {}): Promise<Calibration> {
  const { calibration: choice } = methodOf({ samples: 6, context: 10, ...options }, model.spec);
  const bundledText = async () => ({ name: "bundled", text: alphabet });
  const openTokenizer = async () => tokenizer;
  const run = testRun({ memory });
  return prepareCalibration(run, { model, openTokenizer, choice, bundledText, ...change });
}

const given = { calibration: [{ name: "a.txt", text: alphabet }] };

describe("windows", () => {
  test("are as many and as long as asked for, BOS on top, with eight more held out", async () => {
    const { windows, heldOut, summary } = await prepare(given);
    expect([windows.count, windows.length, heldOut.count, heldOut.length]).toEqual([6, 11, 8, 11]);
    expect([...windows.ids].filter((_, i) => i % 11 === 0)).toEqual(new Array(6).fill(95));
    expect(summary).toEqual({
      source: "file",
      names: ["a.txt"],
      windows: 6,
      ownWindows: 3,
      context: 10,
      tokens: 60,
    });
  });

  test("come by half from the model itself, spread among the others; the held-out ones never do", async () => {
    const letters = tokenizer.encode(alphabet).join();
    const fromFile = ({ ids, count, length }: TokenWindows): boolean[] =>
      Array.from({ length: count }, (_, i) => letters.includes(ids.slice(i * length + 1, (i + 1) * length).join()));
    const { windows, heldOut } = await prepare(given);
    expect(fromFile(windows)).toEqual([true, false, true, false, true, false]);
    expect(fromFile(heldOut)).toEqual(new Array(8).fill(true));
  });

  test.each<[string, object, Change]>([
    ["nothing of its own is asked for", { ownText: 0 }, {}],
    ["there is too little memory for that", {}, { memory: NO_ROOM }],
    ["a published method is asked for", { preset: "flap" }, {}],
  ])("come all from the file when %s", async (_, options, change) => {
    const { summary, windows } = await prepare({ ...given, ...options }, change);
    expect([summary.source, summary.ownWindows, windows.count]).toEqual(["file", 0, 6]);
  });

  test("have no BOS where the model's own tokenizer adds none", async () => {
    const { windows } = await prepare(given, { openTokenizer: async () => ({ ...tokenizer, addsBos: false }) });
    expect(windows.length).toBe(10);
    expect(windows.ids.includes(95)).toBe(false);
  });
});

describe("the source", () => {
  test("is the model itself when no text is given", async () => {
    expect((await prepare({})).summary).toMatchObject({ source: "self-generated", names: [] });
  });

  test("is the bundled text when the model does not fit into memory, or has no token to begin with", async () => {
    expect((await prepare({}, { memory: NO_ROOM })).summary).toMatchObject({ source: "bundled", names: ["bundled"] });
    const mute = { ...tokenizer, bosTokenId: undefined, eosTokenIds: [], addsBos: false };
    expect((await prepare({}, { openTokenizer: async () => mute })).summary.source).toBe("bundled");
  });

  test("of a mixture of experts begins with any token that is no special one", async () => {
    const tiny = await openTiny("qwen3-moe");
    const run = testRun();
    const decode = (ids: readonly number[]): string => (ids[0] === 7 || ids[0] === 9 ? "x" : "");
    const openTokenizer = async (): Promise<Tokenizer> => ({ ...tokenizer, vocabSize: 48, bosTokenId: 1, decode });
    const { windows } = await prepare({}, { model: tiny.model, openTokenizer });
    const of = { count: 14, length: 10, seed: 0 };
    const written = await generateSamples(run, tiny.model, { ...of, firstTokens: [7, 9] });
    const first = [...windows.ids.slice(1, windows.length)];
    expect(written.map(String)).toContain(String(first));
    expect((await generateSamples(run, tiny.model, { ...of, firstTokens: [1] })).map(String)).not.toContain(
      String(first),
    );
    await tiny.close();
  });

  test("without a word is refused, by name", () =>
    expect(prepare({ calibration: [{ name: "empty.txt", text: "" }] })).rejects.toThrow(
      "there is no text in empty.txt",
    ));
});

import { afterAll, describe, expect, test } from "vitest";
import { embed, embedOrSpill } from "../../../src/forward/run/embed.ts";
import { batchesOf, type HiddenStates, ResidentStates } from "../../../src/forward/run/hidden-states.ts";
import { openModel } from "../../../src/model/model.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { scratchFolder } from "../../../src/node/scratch-folder.ts";
import { tinyPath } from "../../helpers/fixtures.ts";

const checkpoint = await openPath(tinyPath("llama"));
const model = await openModel(checkpoint);
const scratch = scratchFolder();
afterAll(() => Promise.all([scratch.clear(), checkpoint.close()]));

/** Three batches of at most 2,048 tokens, the last of them smaller. */
const LENGTH = 512;
const windows = { ids: Int32Array.from({ length: 9 * LENGTH }, (_, i) => i % 96), count: 9, length: LENGTH };

const spill = (): Promise<HiddenStates> => embedOrSpill(model, windows, scratch, 0);
const indices = (states: HiddenStates): number[] => [...Array(states.batchCount).keys()];

async function values(states: HiddenStates): Promise<number[]> {
  const all: number[] = [];
  for (const i of indices(states)) await states.read(i, async ({ hidden }) => void all.push(...hidden.data));
  return all;
}

describe.each([
  ["resident", () => embed(model, windows)],
  ["spilled", spill],
] as const)("%s hidden states", (_, states) => {
  test("are the rows of the embedding matrix, batch by batch", async () => {
    const { hiddenSize } = model.spec;
    const matrix = await model.read("model.embed_tokens.weight");
    const expected = [...windows.ids].flatMap((id) => [...matrix.subarray(id * hiddenSize, (id + 1) * hiddenSize)]);
    const embedded = await states();
    expect(embedded.batchCount).toBe(3);
    expect(await values(embedded)).toEqual(expected);
  });

  test("keep what is written into them by an update", async () => {
    const updated = await states();
    const before = await values(updated);
    for (const index of indices(updated))
      await updated.update(index, async ({ hidden }) => {
        for (const i of hidden.data.keys()) hidden.data[i]! += i % 7;
      });
    const size = 4 * LENGTH * model.spec.hiddenSize;
    expect(await values(updated)).toEqual(before.map((value, i) => Math.fround(value + ((i % size) % 7))));
  });
});

describe("spilled hidden states", () => {
  test("pass through the same memory", async () => {
    const states = await spill();
    const buffers = new Set<ArrayBufferLike>();
    for (const i of indices(states)) await states.read(i, async ({ hidden }) => void buffers.add(hidden.data.buffer));
    expect(buffers.size).toBe(1);
  });

  test("do not disturb one another when two are read side by side", async () => {
    const [one, other] = [await spill(), await spill()];
    for (const i of indices(other)) await other.update(i, async ({ hidden }) => void hidden.data.fill(0));
    for (const i of indices(one))
      await one.read(i, async ({ hidden }) => {
        const own = hidden.data.slice();
        await other.read(i, async (zeros) => expect(zeros.hidden.data.every((value) => value === 0)).toBe(true));
        expect(hidden.data).toEqual(own);
      });
  });
});

describe("resident hidden states", () => {
  test("are one array, which a copy does not share", () => {
    const two = { ...model.spec, hiddenSize: 2 };
    const states = new ResidentStates({ count: 9, length: LENGTH }, two, new Float32Array(9 * LENGTH * 2));
    const copy = states.copy();
    states.batches[2]!.hidden.data.fill(1);
    expect(states.all.subarray(0, 8 * LENGTH * 2).every((value) => value === 0)).toBe(true);
    expect(states.all.subarray(8 * LENGTH * 2).every((value) => value === 1)).toBe(true);
    expect(copy.all.every((value) => value === 0)).toBe(true);
    expect(copy.batches.map(({ hidden }) => hidden.shape)).toEqual(states.batches.map(({ hidden }) => hidden.shape));
  });

  test("are refused when a row would be left over", () => {
    expect(
      () => new ResidentStates({ count: 2, length: 3 }, { ...model.spec, hiddenSize: 1 }, new Float32Array(7)),
    ).toThrow(RangeError);
  });
});

// Llama-2-7B and 70B: 2²⁴ / 11,008 are 1,524 tokens, and 1,024 are the least
test.each([
  [1536, [8, 8, 4]],
  [11008, [5, 5, 5, 5]],
  [28672, [4, 4, 4, 4, 4]],
])("with %i neurons 20 windows of 256 tokens go in batches of %j", (intermediateSize, batches) => {
  const layers = model.spec.layers.map((layer) => resized(layer, { intermediateSize }));
  const found = batchesOf({ count: 20, length: 256 }, { ...model.spec, layers });
  expect(found.map(({ batch }) => batch)).toEqual(batches);
});

import { afterAll, describe, expect, test } from "vitest";
import { embed, type HiddenStates } from "../../../src/forward/run/hidden-states.ts";
import { embedOrSpill } from "../../../src/forward/run/spilled-states.ts";
import { openModel } from "../../../src/model/model.ts";
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

const spilled = (name: string): Promise<HiddenStates> => embedOrSpill(model, windows, scratch, name, 0);

async function values(states: HiddenStates): Promise<number[]> {
  const all: number[] = [];
  for await (const { hidden } of states) all.push(...hidden.data);
  return all;
}

describe("spilled hidden states", () => {
  test("are those that would be in memory, batch by batch", async () => {
    const resident = await embed(model, windows);
    expect(resident).toHaveLength(3);
    expect(await values(await spilled("same"))).toEqual(await values(resident));
  });

  test("keep what is written into them in passing", async () => {
    const states = await spilled("written");
    const before = await values(states);
    for await (const { hidden } of states) for (const i of hidden.data.keys()) hidden.data[i]! += i % 7;
    const size = 4 * LENGTH * model.spec.hiddenSize;
    expect(await values(states)).toEqual(before.map((value, i) => Math.fround(value + ((i % size) % 7))));
  });

  test("pass through the same memory", async () => {
    const buffers = new Set<ArrayBufferLike>();
    for await (const { hidden } of await spilled("memory")) buffers.add(hidden.data.buffer);
    expect(buffers.size).toBe(1);
  });

  test("do not disturb one another when two are read side by side", async () => {
    const [one, other] = [await spilled("one"), await spilled("other")];
    for await (const { hidden } of other) hidden.data.fill(0);
    const zeros = (other as AsyncIterable<{ hidden: { data: Float32Array } }>)[Symbol.asyncIterator]();
    for await (const { hidden } of one) {
      const own = hidden.data.slice();
      expect((await zeros.next()).value.hidden.data.every((value: number) => value === 0)).toBe(true);
      expect(hidden.data).toEqual(own);
    }
  });
});

import { describe, expect, test } from "vitest";
import { openFolder, openGguf } from "../../src/checkpoint/open-checkpoint.ts";
import { compError } from "../helpers/errors.ts";
import { ggufBytes, text, u32 } from "../helpers/gguf-bytes.ts";
import { type MemorySource, memoryFolder } from "../helpers/memory.ts";

const u16 = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer);
const NAMES = ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"] as const;

/** A part as the gguf package writes it: metadata in the first alone, a tensor of one value each, which is the part's number. */
function part(no: number, { count = 3, total = 3, tensor = `t${no}` } = {}): Uint8Array {
  const bytes = ggufBytes({
    metadata: [
      ...(no === 0 ? ([["general.architecture", 8, text("llama")]] as [string, number, Uint8Array][]) : []),
      ["split.no", 2, u16(no)],
      ["split.count", 2, u16(count)],
      ["split.tensors.count", 5, u32(total)],
    ],
    tensors: [{ name: tensor, dimensions: [1], type: 0, offset: 0 }],
    dataBytes: 4,
  });
  bytes.set(new Uint8Array(Float32Array.of(no).buffer), bytes.length - 4);
  return bytes;
}
const SPLIT: Record<string, Uint8Array> = { [NAMES[0]]: part(0), [NAMES[1]]: part(1), [NAMES[2]]: part(2) };

const open = async (file: string, files: Record<string, Uint8Array>, sources: MemorySource[] = []) => {
  const folder = memoryFolder(files, sources, "here");
  return openGguf(await folder.open(file), folder);
};

describe("a split file", () => {
  test.each(NAMES)("is opened whole by its part %s", async (name) => {
    const sources: MemorySource[] = [];
    const checkpoint = await open(name, SPLIT, sources);
    expect(checkpoint.name).toBe(`here/${NAMES[0]}`);
    expect(checkpoint.files).toEqual(NAMES.map((file) => `here/${file}`));
    expect([...checkpoint.tensors.keys()]).toEqual(["t0", "t1", "t2"]);
    for (const no of [0, 1, 2]) expect(await checkpoint.read(`t${no}`)).toEqual(Float32Array.of(no));
    expect(checkpoint.metadata.get("general.architecture")).toBe("llama");
    expect(await checkpoint.readMetadata("general.architecture")).toEqual(
      Uint8Array.from([...u32(8), ...text("llama")]),
    );
    expect(await checkpoint.fingerprint()).toBe(await (await open(NAMES[0], SPLIT)).fingerprint());
    await checkpoint.close();
    expect(sources.slice(0, 3).every((source) => source.closed)).toBe(true);
  });

  test("is what a folder holds that has nothing else", async () => {
    const checkpoint = await openFolder(memoryFolder({ ...SPLIT, "README.md": "" }));
    expect(checkpoint.tensors.size).toBe(3);
  });

  test("is one of the models that a folder with others names, by its first part", async () => {
    const error = await compError(openFolder(memoryFolder({ ...SPLIT, "other.gguf": "" }, [], "here")));
    expect(error.hint).toBe(`give the GGUF file itself: ${NAMES[0]} or the GGUF file itself: other.gguf`);
  });
});

test("a file that says it is split into one part is whole", async () => {
  expect((await open("x.gguf", { "x.gguf": part(0, { count: 1, total: 1 }) })).tensors.size).toBe(1);
});

test.each<[string, string, Record<string, Uint8Array>, string]>([
  [
    "whose second part is missing",
    NAMES[0],
    { [NAMES[0]]: part(0), [NAMES[2]]: part(2) },
    `here/${NAMES[0]} is one of 3 parts of a split GGUF; ${NAMES[1]} is missing`,
  ],
  [
    "of which only the last part is there",
    NAMES[2],
    { [NAMES[2]]: part(2) },
    `here/${NAMES[2]} is one of 3 parts of a split GGUF; ${NAMES[0]}, ${NAMES[1]} are missing`,
  ],
  [
    "renamed",
    "model.gguf",
    { "model.gguf": part(0) },
    "here/model.gguf is one of 3 parts of a split GGUF, but not named as one",
  ],
  [
    "whose name counts other parts",
    "m-00001-of-00002.gguf",
    { "m-00001-of-00002.gguf": part(0) },
    "is one of 3 parts of a split GGUF, but not named as one",
  ],
  [
    "with two parts exchanged",
    NAMES[0],
    { ...SPLIT, [NAMES[1]]: part(2), [NAMES[2]]: part(1) },
    `here/${NAMES[1]} says split.no 2 and split.count 3, not 1 and 3`,
  ],
  [
    "with a whole file as a part",
    NAMES[0],
    { ...SPLIT, [NAMES[1]]: ggufBytes({}) },
    `here/${NAMES[1]} says split.no undefined and split.count undefined, not 1 and 3`,
  ],
  [
    "that lacks tensors",
    NAMES[0],
    { ...SPLIT, [NAMES[0]]: part(0, { total: 5 }) },
    `here/${NAMES[0]} says split.tensors.count 5, its 3 parts have 3`,
  ],
  [
    "with a tensor in two parts",
    NAMES[0],
    { ...SPLIT, [NAMES[2]]: part(2, { tensor: "t1" }) },
    `tensor "t1" is in here/${NAMES[1]} and again in here/${NAMES[2]}`,
  ],
  ["with a damaged part", NAMES[0], { ...SPLIT, [NAMES[2]]: part(2).subarray(0, 99) }, `here/${NAMES[2]} is`],
])("a split file %s is refused, and all of it closed", async (_, named, files, message) => {
  const sources: MemorySource[] = [];
  const error = await compError(open(named, files, sources));
  expect([error.kind, error.message]).toEqual(["checkpoint", expect.stringContaining(message)]);
  expect(sources.every((source) => source.closed)).toBe(true);
});

// Ten thousand headers that no honest program wrote: opening one refuses it in a line, or gives tensors that lie in their file, each
// for itself, in the bytes that shape and type ask for. What it reads on the way stays in proportion to the file.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Checkpoint, TensorInfo } from "../../src/checkpoint/checkpoint.ts";
import { elementsOf } from "../../src/checkpoint/checkpoint.ts";
import { byteLength } from "../../src/checkpoint/dtype.ts";
import { openFolder, openGguf } from "../../src/checkpoint/open-checkpoint.ts";
import type { ByteSource } from "../../src/checkpoint/storage.ts";
import { CompError } from "../../src/errors.ts";
import { fixturePath } from "../helpers/fixtures.ts";
import { type GgufTensor, ggufBytes, strings, text, u32, u64 } from "../helpers/gguf-bytes.ts";
import { type MemorySource, memoryFolder, memorySource } from "../helpers/memory.ts";
import { safetensorsBytes } from "../helpers/safetensors-bytes.ts";

/** A line on a terminal or two; what a file says of itself must not fill more. */
const LONGEST_MESSAGE = 1000;
const SEED = 20_261_130;

let cases = 0;
const outcomes = { opened: 0, refused: 0 };

const tryGguf = (bytes: Uint8Array): Promise<void> => {
  const source = memorySource("x.gguf", bytes);
  return opensOrRefuses(openGguf(source), [source]);
};

const tryFolder = (files: Record<string, Uint8Array | string>): Promise<void> => {
  const sources: MemorySource[] = [];
  return opensOrRefuses(openFolder(memoryFolder(files, sources)), sources);
};
const trySafetensors = (bytes: Uint8Array): Promise<void> => tryFolder({ "model.safetensors": bytes });

async function opensOrRefuses(opening: Promise<Checkpoint>, sources: readonly MemorySource[]): Promise<void> {
  cases++;
  try {
    const checkpoint = await opening;
    outcomes.opened++;
    expectConsistent(checkpoint);
    for (const [name, { byteLength }] of checkpoint.tensors) if (byteLength <= 4096) await checkpoint.read(name);
    await checkpoint.close();
  } catch (error) {
    outcomes.refused++;
    expectRefusal(error);
  }
  expect(sources.every(({ closed }) => closed)).toBe(true);
  for (const { bytesRead, size } of sources) expect(bytesRead).toBeLessThanOrEqual(3 * size);
}

function expectRefusal(error: unknown): void {
  if (!(error instanceof CompError)) throw error;
  expect(error.message).toMatch(/^[^\p{Cc}\u2028\u2029]+$/u);
  expect(error.message.length).toBeLessThanOrEqual(LONGEST_MESSAGE);
}

/** What a tensor of a file is at run time. */
type Placed = TensorInfo & { readonly source: ByteSource; readonly offset: number };

function expectConsistent({ tensors }: Checkpoint): void {
  const placed = [...tensors.values()] as Placed[];
  for (const { shape, dtype, byteLength: bytes, offset, source } of placed) {
    expect(bytes).toBe(byteLength(dtype, elementsOf(shape)));
    for (const size of [...shape, offset, bytes]) expect(Number.isSafeInteger(size) && size >= 0).toBe(true);
    expect(offset + bytes).toBeLessThanOrEqual(source.size);
  }
  const order = placed.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  order.forEach((tensor, i) => {
    const next = order[i + 1];
    if (next?.source === tensor.source) expect(next.offset).toBeGreaterThanOrEqual(tensor.offset + tensor.byteLength);
  });
}

/** Sizes at which arithmetic turns over, and some that mean no harm. */
const EDGES = [0, 1, 2, 3, 31, 32, 33, 64, 255, 256, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
const size = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 8 }) }, fc.constantFrom(...EDGES));
const size64 = fc.oneof(
  { weight: 4, arbitrary: size.map(BigInt) },
  fc.constantFrom(2n ** 53n, 2n ** 62n, 2n ** 63n, 2n ** 64n - 1n),
);
const name = fc.oneof(
  fc.constantFrom("a", "b", "model.norm.weight", "", "__proto__", "constructor", "__metadata__", "a\nb\u001b[31m"),
  fc.string({ unit: "binary", maxLength: 12 }),
);

const numRuns = (runs: number): fc.Parameters<unknown> => ({ numRuns: runs, seed: SEED });

describe("safetensors", () => {
  const proper = safetensorsBytes(
    {
      __metadata__: { format: "pt" },
      a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
      "b.weight": { dtype: "BF16", shape: [4], data_offsets: [24, 32] },
      c: { dtype: "F16", shape: [0, 5], data_offsets: [32, 32] },
    },
    32,
  );

  const odd = fc.oneof(
    { weight: 4, arbitrary: size as fc.Arbitrary<unknown> },
    fc.constantFrom<unknown>(-1, 1.5, 1e300, "4", null, true, [], {}, [[1]], 2 ** 53, -(2 ** 53)),
  );
  const dtype = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("F32", "F16", "BF16") as fc.Arbitrary<unknown> },
    fc.constantFrom<unknown>("I64", "F8_E4M3", "toString", "", 4, null, ["F32"], "F32\n"),
  );
  const entry = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record(
        { dtype, shape: fc.array(odd, { maxLength: 9 }), data_offsets: fc.array(odd, { minLength: 1, maxLength: 3 }) },
        { requiredKeys: [] },
      ) as fc.Arbitrary<unknown>,
    },
    fc.constantFrom<unknown>(null, 1, "x", [], true),
  );

  test("of random entries", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, entry), { maxLength: 5 }),
        fc.nat({ max: 64 }),
        async (entries, data) => {
          const pairs = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
          await trySafetensors(safetensorsBytes(`{${pairs.join()}}`, data));
        },
      ),
      numRuns(1500),
    );
  });

  test("of tensors that fit their bytes, but not one another", async () => {
    const place = fc.record({ name, rows: fc.nat({ max: 3 }), columns: fc.nat({ max: 3 }), begin: fc.nat({ max: 6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(place, { maxLength: 4 }), fc.nat({ max: 12 }), async (places, floats) => {
        const pairs = places.map(({ name: key, rows, columns, begin }) => {
          const offsets = [4 * begin, 4 * (begin + rows * columns)];
          return `${JSON.stringify(key)}:${JSON.stringify({ dtype: "F32", shape: [rows, columns], data_offsets: offsets })}`;
        });
        await trySafetensors(safetensorsBytes(`{${pairs.join()}}`, 4 * floats));
      }),
      numRuns(1000),
    );
  });

  test("with changed bytes", async () => {
    const change = fc.tuple(fc.nat({ max: proper.length - 1 }), fc.nat({ max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = proper.slice();
        for (const [at, value] of changes) bytes[at] = value;
        await trySafetensors(bytes);
      }),
      numRuns(1500),
    );
  });

  test("cut at every length", async () => {
    const before = outcomes.opened;
    for (let length = 0; length < proper.length; length++) await trySafetensors(proper.slice(0, length));
    expect(outcomes.opened).toBe(before);
    await trySafetensors(proper);
    expect(outcomes.opened).toBe(before + 1);
  });

  const deep = (open: string, close: string): string => open.repeat(100_000) + close.repeat(100_000);
  test.each([
    ["lists in lists as a shape", `{"a":{"dtype":"F32","shape":${deep("[", "]")},"data_offsets":[0,4]}}`],
    ["objects in objects", `{"a":${deep('{"a":', "}").replace("}", "1}")}}`],
    ["lists in lists as all", deep("[", "]")],
    ["a type of lists in lists", `{"a":{"dtype":${deep("[", "]")},"shape":[1],"data_offsets":[0,4]}}`],
    ["a name of a million characters", `{"${"n".repeat(1_000_000)}":null}`],
    ["names of quotation marks", `{"${'\\"'.repeat(500_000)}`],
  ])("of %s", (_, header) => trySafetensors(safetensorsBytes(header, 4)));
});

describe("GGUF", () => {
  const sample = Uint8Array.from(readFileSync(fixturePath("sample.gguf")));
  const proper = ggufBytes({
    metadata: [
      ["general.architecture", 8, text("llama")],
      ["tokenizer.ggml.tokens", 9, strings(["a", "b", "c"])],
      ["general.alignment", 4, u32(64)],
    ],
    tensors: [
      { name: "token_embd.weight", dimensions: [32, 3], type: 8, offset: 0 },
      { name: "output_norm.weight", dimensions: [32], type: 0, offset: 128 },
    ],
    dataBytes: 256,
    alignment: 64,
  });

  const nested: fc.Arbitrary<Uint8Array> = fc
    .tuple(fc.nat({ max: 6 }), fc.constantFrom(1n, 2n, 2n ** 32n))
    .map(([levels, count]) => Buffer.concat(Array.from({ length: levels }).flatMap(() => [u32(9), u64(count)])));
  const value: fc.Arbitrary<Uint8Array> = fc.oneof(
    size64.map((count) => u64(count)),
    fc
      .tuple(fc.nat({ max: 14 }), size64, fc.uint8Array({ maxLength: 24 }))
      .map(([type, count, rest]) => Buffer.concat([u32(type), u64(count), rest])),
    fc.string({ unit: "binary", maxLength: 8 }).map(text),
    nested,
  );
  const key = fc.oneof(name, fc.constantFrom("general.alignment", "split.count", "general.type", "adapter.type"));
  const metadata = fc.array(fc.tuple(key, fc.nat({ max: 14 }), value), { maxLength: 3 });
  const tensor: fc.Arbitrary<GgufTensor> = fc.record({
    name,
    dimensions: fc.array(size64, { maxLength: 5 }),
    type: fc.oneof(fc.constantFrom(0, 1, 2, 8, 12, 30), fc.nat({ max: 45 })),
    offset: fc.oneof(
      fc.nat({ max: 8 }).map((blocks) => BigInt(32 * blocks)),
      size64,
    ),
  });

  test("of random metadata", async () => {
    await fc.assert(
      fc.asyncProperty(metadata, async (entries) => tryGguf(ggufBytes({ metadata: entries }))),
      numRuns(1000),
    );
  });

  test("of random tensors, and of counts that are not theirs", async () => {
    const claim = fc.option(fc.tuple(fc.constantFrom(8, 16), size64), { freq: 4 });
    const parts = fc.record({ tensors: fc.array(tensor, { maxLength: 3 }), dataBytes: fc.nat({ max: 400 }) });
    await fc.assert(
      fc.asyncProperty(parts, claim, async (given, claimed) => {
        const bytes = ggufBytes(given);
        if (claimed) new DataView(bytes.buffer).setBigUint64(claimed[0], claimed[1], true);
        await tryGguf(bytes);
      }),
      numRuns(1500),
    );
  });

  test("of small tensors at all alignments", async () => {
    const small = fc.record({
      name: fc.constantFrom("a", "b", "c", "d"),
      dimensions: fc.array(fc.constantFrom(0, 1, 2, 32), { maxLength: 4 }),
      type: fc.constantFrom(0, 1, 8),
      offset: fc.nat({ max: 40 }).map((steps) => 8 * steps),
    });
    const parts = fc.record({ tensors: fc.array(small, { maxLength: 3 }), dataBytes: fc.nat({ max: 2000 }) });
    await fc.assert(
      fc.asyncProperty(parts, fc.constantFrom(0, 1, 3, 8, 32, 48, 2 ** 16, 2 ** 31), async (given, alignment) => {
        const entry: [string, number, Uint8Array] = ["general.alignment", 4, u32(alignment)];
        await tryGguf(ggufBytes({ ...given, metadata: [entry], alignment: Math.max(1, alignment % 2 ** 17) }));
      }),
      numRuns(1000),
    );
  });

  test.each([
    ["a file of the gguf package", sample, 1500],
    ["a small one", proper, 700],
  ])("%s with changed bytes", async (_, whole, runs) => {
    const change = fc.tuple(fc.nat({ max: Math.min(whole.length, 2000) - 1 }), fc.nat({ max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = whole.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        await tryGguf(bytes);
      }),
      numRuns(runs),
    );
  });

  test("cut at every length", async () => {
    const before = outcomes.opened;
    const end = proper.length - 256 + 128 + 128; // the last tensor's end
    for (let length = 0; length < end; length++) await tryGguf(proper.slice(0, length));
    expect(outcomes.opened).toBe(before);
    await tryGguf(proper);
    expect(outcomes.opened).toBe(before + 1);
  });
});

describe("an index of shards", () => {
  const shard = (name: string): Uint8Array =>
    safetensorsBytes({ [name]: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, 4);
  const files = { "1.safetensors": shard("a"), "2.safetensors": shard("b"), "3.safetensors": shard("a") };
  const target = fc.constantFrom<unknown>(
    ...Object.keys(files),
    "../x",
    "",
    "/etc",
    1,
    null,
    [],
    {},
    "model.safetensors.index.json",
  );
  const tryIndex = (text: string): Promise<void> => tryFolder({ ...files, "model.safetensors.index.json": text });

  test("of random entries", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, target), { maxLength: 4 }), async (entries) => {
        const pairs = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
        await tryIndex(`{"weight_map":{${pairs.join()}}}`);
      }),
      numRuns(500),
    );
  });

  test("of any JSON", async () => {
    const map = fc.oneof(
      fc.json(),
      fc.constantFrom("", "{", '"1.safetensors"', '["1.safetensors"]', "[[[".repeat(50_000)),
    );
    await fc.assert(
      fc.asyncProperty(map, (json) => tryIndex(`{"metadata":{"total_size":-1},"weight_map":${json}}`)),
      numRuns(300),
    );
  });
});

/** Zeros without end but for their beginning, as a sparse file has them. */
function sparseSource(start: Uint8Array, size: number): ByteSource & { bytesRead: number } {
  return {
    name: "sparse.gguf",
    size,
    bytesRead: 0,
    async read(from, to) {
      this.bytesRead += to - from;
      const bytes = new Uint8Array(to - from);
      bytes.set(start.subarray(from, Math.max(from, Math.min(to, start.length))));
      return bytes;
    },
    close: async () => {},
  };
}

describe("a terabyte of zeros behind a header that claims", () => {
  const claims = (tensors: number, entries: number): Uint8Array =>
    Buffer.concat([new TextEncoder().encode("GGUF"), u32(3), u64(tensors), u64(entries)]);
  const array = (type: number, count: number): Uint8Array =>
    Buffer.concat([claims(0, 1), text("k"), u32(9), u32(type), u64(count)]);
  test.each([
    ["as many tensors as it could hold", claims(2 ** 35, 0)],
    ["as many metadata entries", claims(0, 2 ** 35)],
    ["as many numbers", array(4, 2 ** 35)],
    ["as many texts", array(8, 2 ** 35)],
    ["as many lists", array(9, 2 ** 35)],
  ])("%s is refused after its first piece", async (_, start) => {
    const source = sparseSource(start, 2 ** 40);
    expectRefusal(await openGguf(source).catch((error: unknown) => error));
    expect(source.bytesRead).toBeLessThanOrEqual(2 ** 20);
    cases++;
  });
});

test("ten thousand they were, and some of them good", () => {
  expect(cases).toBeGreaterThanOrEqual(10_000);
  expect(outcomes.opened).toBeGreaterThan(500);
  expect(outcomes.refused).toBeGreaterThan(5000);
});

// A quantized file that is pruned into one of the same types.
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { withPaths } from "../../src/node/open-path.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { eventsOf, pruneDemo } from "../helpers/prune-demo.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";

const quantized = join(sharedFolder(), "demo-q4_k_m.gguf");
const refitted = /ffn_down\.weight$/;

beforeAll(async () => {
  await eventsOf({ model: DEMO_MODEL, sparsity: 0, dtype: "q4_k_m", output: quantized });
});

async function rowsOf(checkpoint: Checkpoint, name: string): Promise<string[]> {
  const [count] = checkpoint.tensors.get(name)!.shape as [number];
  const bytes = Buffer.from(await checkpoint.readRowBytes(name, 0, count));
  const size = bytes.length / count;
  return Array.from({ length: count }, (_, row) => bytes.subarray(row * size, (row + 1) * size).toString("base64"));
}

const CUT = { sparsity: 0.2, layers: 0, widths: "equal", recovery: "least-squares", criterion: "condition" } as const;

describe("pruned into a GGUF without a word on types", () => {
  const output = join(sharedFolder(), "smaller.gguf");
  beforeAll(async () => {
    await pruneDemo({ model: quantized, output, multipleOf: 256, ...CUT });
  });

  test("each tensor has the type that it had", () =>
    withPaths(async (open) => {
      const [before, after] = [await open(quantized), await open(output)];
      const types = ({ tensors }: Checkpoint) => [...tensors.values()].map(({ name, dtype }) => [name, dtype]);
      expect(types(after)).toEqual(types(before));
      expect(new Set(types(after).map(([, dtype]) => dtype)).size).toBeGreaterThan(2);
      expect(after.metadata.get("general.file_type")).toBe(before.metadata.get("general.file_type"));
    }));

  test("rows that stay are the bytes that they were, the others of their matrix are gone", () =>
    withPaths(async (open) => {
      const [before, after] = [await open(quantized), await open(output)];
      for (const { name, shape } of after.tensors.values()) {
        const [source, rows] = [await rowsOf(before, name), await rowsOf(after, name)];
        if (!refitted.test(name)) expect(rows.every((row) => source.includes(row))).toBe(true);
        if (/ffn_(gate|up)/.test(name)) expect(shape[0]).toBeLessThan(before.tensors.get(name)!.shape[0]!);
        if (refitted.test(name)) expect(rows.some((row) => source.includes(row))).toBe(false);
      }
    }));
});

test("with nothing removed the whole file is a copy", () =>
  withPaths(async (open) => {
    const output = join(temporaryFolder(), "copy.gguf");
    await eventsOf({ model: quantized, sparsity: 0, output });
    const [before, after] = [await open(quantized), await open(output)];
    expect([...after.tensors.keys()]).toEqual([...before.tensors.keys()]);
    for (const name of after.tensors.keys()) expect(await rowsOf(after, name)).toEqual(await rowsOf(before, name));
  }));

test("a folder cannot hold the types, and says so before any work", async () => {
  const output = join(temporaryFolder(), "folder");
  const { kind, message, hint } = await compError(eventsOf({ model: quantized, dtype: "same", output, ...CUT }));
  expect(kind).toBe("option");
  expect(message).toMatch(/^--dtype same: a folder does not hold Q\d/);
  expect(hint).toContain("name the output NAME.gguf");
});

test("the plan says what it costs that widths do not fill the blocks of their type", async () => {
  const output = join(temporaryFolder(), "open.gguf");
  const plan = async (multipleOf?: number): Promise<string[]> => {
    const events = await eventsOf({
      model: quantized,
      output,
      dryRun: true,
      ...CUT,
      ...(multipleOf && { multipleOf }),
    });
    return events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  };
  expect((await plan())[0]).toMatch(
    /^\d+ neurons do not fill the blocks of Q[46]_K: their down_proj becomes Q[58]_0, \d\.\d MB more in all; --multiple-of 256/,
  );
  expect(await plan(256)).toEqual([]);
});

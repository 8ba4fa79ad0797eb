// Judged by what llama.cpp's own quantizer gave to models of these shapes; made by test/fixtures/make-mixtures.py.
import { describe, expect, test } from "vitest";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import type { LayerSpec, Mixer } from "../../../src/model/spec/parts.ts";
import { LLAMA_STORAGE, storedTensors } from "../../../src/model/storage/stored-tensors.ts";
import { MIXTURES, type Mixture, mixtureTypes } from "../../../src/model/write/mixtures.ts";
import { readJsonFixture } from "../../helpers/fixtures.ts";
import { tinySpec } from "../../helpers/specs.ts";

interface Shape {
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly tied?: boolean;
  /** Layers with attention; all of them where there is no list. */
  readonly attentions?: readonly number[];
}
/** By role: one type, or runs of layers such as "Q6_K 2, Q4_K 1". */
type Types = Readonly<Record<string, string>>;
/** "refused": llama.cpp has no type for a row of this width. */
type ByMixture = Readonly<Partial<Record<Mixture, Types | "refused">>>;
const cases = Object.entries(
  readJsonFixture<Record<string, { shape: Shape; plain: ByMixture; weighted: ByMixture }>>("mixtures.json"),
);

function specOf({ layers, hidden, intermediate, heads, kvHeads, tied, attentions }: Shape): DecoderSpec {
  const llama = tinySpec("llama");
  const attention: Mixer = { ...llama.layers[0]!.mixer!, numAttentionHeads: heads, numKeyValueHeads: kvHeads } as Mixer;
  const convolution: Mixer = { kind: "short-convolution", kernelSize: 3, bias: false };
  const layer = (index: number): LayerSpec => ({
    type: "any",
    mixer: attentions === undefined || attentions.includes(index) ? attention : convolution,
    channel: { kind: "mlp", intermediateSize: intermediate },
  });
  const sizes = { hiddenSize: hidden, headDim: hidden / heads, tiedEmbeddings: tied === true };
  return { ...llama, ...sizes, layers: Array.from({ length: layers }, (_, index) => layer(index)) };
}

/** A type for each layer that has the role. */
const expanded = (runs: string, count: number): string[] =>
  runs.includes(" ")
    ? runs.split(", ").flatMap((run) => {
        const [type, times] = run.split(" ");
        return new Array<string>(Number(times)).fill(type!);
      })
    : new Array<string>(count).fill(runs);

function typesOf(mixture: Mixture, spec: DecoderSpec, weighted: boolean): Map<string, string[]> {
  const typeOf = mixtureTypes(mixture, spec, weighted);
  const types = new Map<string, string[]>();
  for (const stored of storedTensors(spec, LLAMA_STORAGE)) {
    const { role } = stored.pieces[0]!.tensor;
    types.set(role, [...(types.get(role) ?? []), typeOf(stored)]);
  }
  return types;
}

describe.each(cases)("%s", (_, { shape, plain, weighted }) => {
  const spec = specOf(shape);
  const rows = [
    ...Object.entries(plain).map(([name, types]) => [name as Mixture, "", types] as const),
    ...Object.entries(weighted).map(([name, types]) => [name as Mixture, " with importance", types] as const),
  ].filter(([, , types]) => types !== "refused");
  test.each(rows)("%s%s: every tensor has the type that llama.cpp gives it", (name, isWeighted, expected) => {
    const types = typesOf(name, spec, isWeighted !== "");
    for (const [role, runs] of Object.entries(expected))
      expect([role, types.get(role)]).toEqual([role, expanded(runs, types.get(role)?.length ?? 0)]);
  });
});

test("the table is of every mixture there is", () => {
  for (const [, { plain }] of cases) expect(Object.keys(plain).sort()).toEqual(Object.keys(MIXTURES).sort());
});

test.each<[Mixture, string]>([
  ["q4_0", "F16"],
  ["q8_0", "F16"],
  ["q4_k_m", "F16"],
  ["bf16", "BF16"],
])("%s: rows that no block of 32 fills are %s", (mixture, expected) => {
  const spec = specOf({ layers: 2, hidden: 40, intermediate: 72, heads: 2, kvHeads: 2 });
  expect(new Set([...typesOf(mixture, spec, false).values()].flat())).toEqual(new Set([expected, "F32"]));
});

test("queries, keys and values in one tensor have the type of values", () => {
  const spec = specOf({ layers: 8, hidden: 256, intermediate: 512, heads: 4, kvHeads: 4 });
  const fused = { ...LLAMA_STORAGE, modules: { qProj: "attn_qkv", kProj: "attn_qkv", vProj: "attn_qkv" } };
  const typeOf = mixtureTypes("q4_k_m", spec, false);
  const types = storedTensors(spec, fused).filter(({ name }) => name.includes("attn_qkv"));
  expect(types.map(typeOf).join(" ")).toBe("Q6_K Q4_K Q4_K Q6_K Q4_K Q4_K Q6_K Q6_K");
});

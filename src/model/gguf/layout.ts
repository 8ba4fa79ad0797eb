// How a GGUF file stores a model: under which architecture, with query and key rows in which order, and what llama.cpp cannot
// run.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { CompError, describeValue } from "../../errors.ts";
import type { BiasRule } from "../config/biases.ts";
import { areAlike } from "../config/layer-sizes.ts";
import type { Family } from "../families/family.ts";
import { DECI_FORM, type GgufForm, type GgufTraits } from "../families/gguf-traits.ts";
import { FAMILIES, familyOf } from "../families/index.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type Attention, attentionOf, type LayerSpec } from "../spec/parts.ts";
import { unknownTo } from "./unknown.ts";

export interface GgufLayout extends GgufForm {
  readonly family: GgufFamily;
  /** Sizes are lists with an entry for each layer. */
  readonly perLayer: boolean;
}

/** A family that llama.cpp runs in a form that is known here. */
export type GgufFamily = Family & { readonly gguf: GgufTraits };

const isInGguf = (family: Family): family is GgufFamily => family.gguf !== undefined;
const GGUF_FAMILIES = FAMILIES.filter(isInGguf);

/** Our own keys: the layers whose attention or MLP is stored only because llama.cpp does not load a layer without it. */
export const IDLE = { attention: "comp.idle.attention", mlp: "comp.idle.mlp" } as const;

/** Neurons of such an MLP, all of them zero. */
const IDLE_WIDTH = 32;

/** The layout of a GGUF file. @throws {CompError} "architecture" when it is not supported. */
export function layoutOf(checkpoint: Checkpoint): GgufLayout {
  const architecture = checkpoint.metadata.get("general.architecture");
  if (architecture === DECI_FORM.architecture) return { ...DECI_FORM, family: deciFamily(checkpoint), perLayer: true };
  const rows = GGUF_FAMILIES.filter((row) => row.gguf.architecture === architecture);
  const isMarked = ({ gguf: { mark } }: GgufFamily): boolean =>
    mark !== undefined && Boolean(checkpoint.metadata.get(`${architecture}.${mark}`));
  const family = rows.find(isMarked) ?? rows.find(({ gguf }) => gguf.mark === undefined);
  if (family !== undefined) return { ...family.gguf, family, perLayer: false };
  const known = new Set([...GGUF_FAMILIES.map((row) => row.gguf.architecture), DECI_FORM.architecture]);
  throw new CompError("architecture", `GGUF architecture ${describeValue(architecture)} is not supported`, {
    hint: `supported: ${[...known].join(", ")}`,
  });
}

/** The first of the families that can be stored as `deci` whose layers have biases where the file has them. */
function deciFamily({ tensors }: Checkpoint): GgufFamily {
  const has = (name: string): boolean => [...tensors.keys()].some((tensor) => tensor.endsWith(name));
  const rows = GGUF_FAMILIES.filter((row) => row.gguf.asDeci);
  const given = { qkv: has(".attn_q.bias"), o: has(".attn_output.bias"), mlp: has(".ffn_up.bias") };
  return rows.find(({ bias }) => allows(bias, given)) ?? rows[0]!;
}

/** Whether `rule` allows biases, or none, on q, k and v, on o, and on the MLP. */
function allows({ qkv, o, mlp }: BiasRule, given: Readonly<Record<keyof BiasRule, boolean>>): boolean {
  if (typeof qkv === "string" && qkv === o && given.qkv !== given.o) return false;
  return [[qkv, given.qkv] as const, [o, given.o] as const, [mlp, given.mlp] as const].every(
    ([rule, has]) => typeof rule === "string" || rule === has,
  );
}

/**
 * The layout for a model to be written; `perLayer` for one whose layers will come to differ in width. It is that of the family,
 * or `deci` where only that one has a form for it.
 * @throws {CompError} "architecture" when llama.cpp computes something else, or has no form for the widths.
 */
export function layoutFor(spec: DecoderSpec, perLayer = false): GgufLayout {
  const family = ggufFamily(spec);
  const own: GgufLayout[] = !perLayer && areAlike(spec.layers) ? [{ ...family.gguf, family, perLayer: false }] : [];
  const layouts = [...own, ...(family.gguf.asDeci ? [{ ...DECI_FORM, family, perLayer: true }] : [])];
  const layout = layouts.find((one) => unknownTo(one, spec, family) === undefined);
  if (layout !== undefined) return layout;
  const [first] = layouts;
  if (first === undefined)
    throw new CompError("architecture", `GGUF has no form for a ${spec.family} whose layers differ in width`, {
      hint: "write a folder, or the same width in all layers: --widths equal",
    });
  throw new CompError(
    "architecture",
    `llama.cpp's ${first.architecture} does not know ${unknownTo(first, spec, family)}`,
    { hint: "write a folder" },
  );
}

/** @throws {CompError} "architecture" for a family that has no form in GGUF */
function ggufFamily(spec: DecoderSpec): GgufFamily {
  const family = familyOf({ model_type: spec.family });
  if (isInGguf(family)) return family;
  throw new CompError("architecture", `GGUF files of ${spec.family} models are not supported`, {
    hint: "write a folder",
  });
}

/** Whether layers of a model may differ in width in a GGUF file. */
export function differInGguf(spec: DecoderSpec): boolean {
  const family = familyOf({ model_type: spec.family });
  return isInGguf(family) && family.gguf.asDeci && unknownTo(DECI_FORM, spec, family) === undefined;
}

/** Why none of a model's attention heads can go in a GGUF file; undefined where they can, or where it has no form at all. */
export function whyHeadsStayInGguf(spec: DecoderSpec): string | undefined {
  const family = familyOf({ model_type: spec.family });
  if (!isInGguf(family) || family.gguf.anyHeads || differInGguf(spec)) return undefined;
  return `llama.cpp's ${family.gguf.architecture} wants heads that together are as wide as the hidden states`;
}

/**
 * The model as llama.cpp can load it. Its `deci` drops the output of an attention that no MLP follows, and takes the head size
 * from the first layer: where such a sublayer is absent it is stored with zeros, which add nothing.
 */
export function storedSpec(spec: DecoderSpec, { perLayer }: GgufLayout): DecoderSpec {
  return perLayer ? { ...spec, layers: spec.layers.map((layer, index) => withNeededParts(spec, layer, index)) } : spec;
}

function withNeededParts({ layers }: DecoderSpec, layer: LayerSpec, index: number): LayerSpec {
  const some = layers.flatMap((other) => attentionOf(other) ?? [])[0];
  const one = { ...(some ?? NO_ATTENTION), numAttentionHeads: 1, numKeyValueHeads: 1 };
  return {
    ...layer,
    mixer: layer.mixer ?? (index === 0 ? one : null),
    channel: layer.channel ?? { kind: "mlp", intermediateSize: IDLE_WIDTH },
  };
}

const NO_ATTENTION: Omit<Attention, "numAttentionHeads" | "numKeyValueHeads"> = {
  kind: "attention",
  slidingWindow: undefined,
  rope: undefined,
};

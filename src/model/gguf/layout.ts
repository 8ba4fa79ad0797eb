// How a GGUF file stores a model: under which architecture, with query and key rows in which order, and what llama.cpp cannot
// run.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { describeValue } from "../../checkpoint/json.ts";
import { CompError } from "../../errors.ts";
import { ACTIVATIONS } from "../config/activations.ts";
import type { BiasRule } from "../config/biases.ts";
import { areAlike } from "../config/layer-sizes.ts";
import type { Family } from "../families/family.ts";
import type { GgufTraits } from "../families/gguf-traits.ts";
import { FAMILIES, familyOf } from "../families/index.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type Attention, attentionOf, type LayerSpec } from "../spec/parts.ts";

export interface GgufLayout extends Pick<GgufTraits, "architecture" | "interleavedRotary" | "ropeDivisors"> {
  readonly family: GgufFamily;
  /** Sizes are lists with an entry for each layer. */
  readonly perLayer: boolean;
}

/** A family that llama.cpp runs in a form that is known here. */
export type GgufFamily = Family & { readonly gguf: GgufTraits };

const isInGguf = (family: Family): family is GgufFamily => family.gguf !== undefined;
const GGUF_FAMILIES = FAMILIES.filter(isInGguf);

/** DeciLM: a Llama whose layers may differ in width, with biases where their tensors are there. */
const DECI = { architecture: "deci", interleavedRotary: true, ropeDivisors: true, perLayer: true };

/** Our own keys: the layers whose attention or MLP is stored only because llama.cpp does not load a layer without it. */
export const IDLE = { attention: "comp.idle.attention", mlp: "comp.idle.mlp" } as const;

/** Neurons of such an MLP, all of them zero. */
const IDLE_WIDTH = 32;

/** The layout of a GGUF file. @throws {CompError} "architecture" when it is not supported. */
export function layoutOf(checkpoint: Checkpoint): GgufLayout {
  const architecture = checkpoint.metadata.get("general.architecture");
  if (architecture === DECI.architecture) return { ...DECI, family: deciFamily(checkpoint) };
  const family = GGUF_FAMILIES.find((row) => row.gguf.architecture === architecture);
  if (family !== undefined) return { family, ...family.gguf, perLayer: false };
  const known = new Set([...GGUF_FAMILIES.map((row) => row.gguf.architecture), DECI.architecture]);
  throw new CompError("architecture", `GGUF architecture ${describeValue(architecture)} is not supported`, {
    hint: `supported: ${[...known].join(", ")}`,
  });
}

/** The first of the families that can be stored as `deci` whose attention has biases where the file has them. */
function deciFamily({ tensors }: Checkpoint): GgufFamily {
  const has = (name: string): boolean => [...tensors.keys()].some((tensor) => tensor.endsWith(name));
  const rows = GGUF_FAMILIES.filter((row) => row.gguf.asDeci);
  return rows.find(({ bias }) => allows(bias, has(".attn_q.bias"), has(".attn_output.bias"))) ?? rows[0]!;
}

/** Whether `rule` allows biases, or none, on q, k and v, and on o. */
function allows({ qkv, o }: BiasRule, onQkv: boolean, onO: boolean): boolean {
  if (typeof qkv === "string" && qkv === o) return onQkv === onO;
  return [[qkv, onQkv] as const, [o, onO] as const].every(
    ([rule, given]) => typeof rule === "string" || rule === given,
  );
}

/**
 * The layout for a model to be written; `perLayer` for one whose layers will come to differ in width.
 * @throws {CompError} "architecture" when llama.cpp computes something else, or has no form for the widths.
 */
export function layoutFor(spec: DecoderSpec, perLayer = false): GgufLayout {
  const family = familyOf({ model_type: spec.family });
  if (!isInGguf(family))
    throw new CompError("architecture", `GGUF files of a ${spec.family} are not supported`, { hint: "write a folder" });
  const layout =
    !perLayer && areAlike(spec.layers)
      ? { family, ...family.gguf, perLayer }
      : family.gguf.asDeci
        ? { family, ...DECI }
        : undefined;
  if (layout === undefined)
    throw new CompError("architecture", `GGUF has no form for a ${spec.family} whose layers differ in width`, {
      hint: "write a folder, or the same width in all layers",
    });
  checkComputable(spec, layout);
  return layout;
}

/** llama.cpp hard-codes for each architecture what config.json leaves open. */
function checkComputable(spec: DecoderSpec, { family, architecture, ropeDivisors }: GgufLayout): void {
  const refuse = (what: string): CompError =>
    new CompError("architecture", `llama.cpp's ${architecture} does not know ${what}`, { hint: "write a folder" });
  if (spec.activation !== ACTIVATIONS.get(family.defaults[family.names.activation]))
    throw refuse(`the activation ${spec.activation}`);
  if (!ropeDivisors && spec.layers.some((layer) => attentionOf(layer)?.rope?.kind === "llama3"))
    throw refuse("Llama 3's rotary scaling");
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

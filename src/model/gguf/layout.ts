// How GGUF files hold a model: under which architecture, in which order the rows of heads, and what llama.cpp cannot do.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { CompError } from "../../errors.ts";
import { areAlike } from "../config/layer-sizes.ts";
import { ACTIVATIONS, familyOf } from "../config/parse-config.ts";
import { FAMILIES, type Family } from "../families/index.ts";
import type { DecoderSpec, LayerSpec } from "../spec/decoder-spec.ts";

export interface GgufLayout {
  readonly family: Family;
  /** `general.architecture`, which is also the prefix of the model's keys. */
  readonly architecture: string;
  /** Rows of q and k are stored in llama.cpp's order of neighbouring elements. */
  readonly interleavedRotary: boolean;
  /** Sizes are lists with an entry for each layer. */
  readonly perLayer: boolean;
}

/** DeciLM: a Llama whose layers may differ in width, with biases where their tensors are there. */
const DECI = { architecture: "deci", interleavedRotary: true, perLayer: true };

/** Our own keys for the layers whose attention or MLP is there only because llama.cpp cannot do without. */
export const IDLE = { attention: "comp.idle.attention", mlp: "comp.idle.mlp" } as const;

/** Neurons, all of them zero, of such an MLP. */
const IDLE_WIDTH = 32;

/** The layout of a GGUF file. @throws {CompError} "architecture" when it is not supported. */
export function layoutOf(checkpoint: Checkpoint): GgufLayout {
  const architecture = checkpoint.metadata.get("general.architecture");
  if (architecture === DECI.architecture) return { ...DECI, family: deciFamily(checkpoint) };
  const family = FAMILIES.find((row) => row.gguf.architecture === architecture);
  if (family !== undefined) return { family, ...family.gguf, perLayer: false };
  const known = new Set([...FAMILIES.map((row) => row.gguf.architecture), DECI.architecture]);
  throw new CompError("architecture", `GGUF architecture ${JSON.stringify(architecture)} is not supported`, {
    hint: `supported: ${[...known].join(", ")}`,
  });
}

/** Biases of q, k and v alone are Qwen 2's; a Llama has them in `o_proj` too, or none. */
function deciFamily({ tensors }: Checkpoint): Family {
  const has = (name: string): boolean => [...tensors.keys()].some((tensor) => tensor.endsWith(name));
  return familyOf({ model_type: has(".attn_q.bias") && !has(".attn_output.bias") ? "qwen2" : "llama" });
}

/**
 * The layout for a model to be written; `perLayer` for one whose layers will come to differ in width.
 * @throws {CompError} "architecture" when llama.cpp computes something else, or has no form for the widths.
 */
export function layoutFor(spec: DecoderSpec, perLayer = false): GgufLayout {
  const family = familyOf({ model_type: spec.family });
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

/** llama.cpp fixes for each architecture what config.json leaves open. */
function checkComputable(spec: DecoderSpec, { family, architecture, interleavedRotary }: GgufLayout): void {
  const refuse = (what: string): CompError =>
    new CompError("architecture", `llama.cpp's ${architecture} does not know ${what}`, { hint: "write a folder" });
  if (spec.activation !== ACTIVATIONS.get(family.defaults[family.activationKey]))
    throw refuse(`the activation ${spec.activation}`);
  if (!interleavedRotary && spec.layers.some(({ rope }) => rope.kind === "llama3"))
    throw refuse("Llama 3's rotary scaling");
}

/**
 * The model as llama.cpp can load it: `deci` loses what attention writes where no MLP follows, and takes the size of heads
 * from the first layer. A part that is absent but needed is there with zeros, which add nothing.
 */
export function storedSpec(spec: DecoderSpec, { perLayer }: GgufLayout): DecoderSpec {
  return perLayer ? { ...spec, layers: spec.layers.map(withNeededParts) } : spec;
}

function withNeededParts(layer: LayerSpec, index: number): LayerSpec {
  const heads = index === 0 && layer.numAttentionHeads === 0 ? { numAttentionHeads: 1, numKeyValueHeads: 1 } : {};
  return { ...layer, ...heads, intermediateSize: layer.intermediateSize || IDLE_WIDTH };
}

// The parts of a decoder layer: a token mixer, which lets tokens see those before them, and a channel mixer, which works on each
// token alone. A part that is absent is null. Allocation and pruning look at a layer through its `LayerSizes`.
import type { RopeSpec } from "./rope.ts";

/** Grouped-query attention; what all attentions of a model share is in the DecoderSpec. */
export interface Attention {
  readonly kind: "attention";
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Tokens that a query attends to, its own included; undefined = all. */
  readonly slidingWindow: number | undefined;
  /** Undefined where queries and keys are not rotated. */
  readonly rope: RopeSpec | undefined;
}

/** A gated causal convolution over each channel of the hidden states alone (LFM2). */
export interface ShortConvolution {
  readonly kind: "short-convolution";
  /** Tokens that an output depends on, its own included. */
  readonly kernelSize: number;
  readonly bias: boolean;
}

/** Gated delta rule (Yang et al. 2024, arXiv:2412.06464) on queries, keys and values behind a short convolution (Qwen 3.5). */
export interface GatedDelta {
  readonly kind: "gated-delta";
  readonly kernelSize: number;
  readonly numKeyHeads: number;
  /** A multiple of the key heads. */
  readonly numValueHeads: number;
  readonly keyHeadDim: number;
  readonly valueHeadDim: number;
}

export type Mixer = Attention | ShortConvolution | GatedDelta;

/** Gated, or one projection in and one out: the DecoderSpec tells. */
export interface Mlp {
  readonly kind: "mlp";
  readonly intermediateSize: number;
}

export interface LayerSpec {
  /** As `layer_types` of config.json calls it. */
  readonly type: string;
  readonly mixer: Mixer | null;
  readonly channel: Mlp | null;
}

/** What can be cut of a layer; 0 where there is nothing to cut. A mixer that is no attention stays whole. */
export interface LayerSizes {
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
}

/** The attention of a layer, where its mixer is one. */
export const attentionOf = ({ mixer }: Pick<LayerSpec, "mixer">): Attention | undefined =>
  mixer?.kind === "attention" ? mixer : undefined;

export function sizesOf(layer: Pick<LayerSpec, "mixer" | "channel">): LayerSizes {
  const attention = attentionOf(layer);
  return {
    intermediateSize: layer.channel?.intermediateSize ?? 0,
    numAttentionHeads: attention?.numAttentionHeads ?? 0,
    numKeyValueHeads: attention?.numKeyValueHeads ?? 0,
  };
}

/** The layer in other sizes, as far as they are given; a part of size 0 is gone. */
export function resized(layer: LayerSpec, sizes: Partial<LayerSizes>): LayerSpec {
  const { intermediateSize, numAttentionHeads, numKeyValueHeads } = { ...sizesOf(layer), ...sizes };
  const attention = attentionOf(layer);
  const smaller = attention && (numAttentionHeads === 0 ? null : { ...attention, numAttentionHeads, numKeyValueHeads });
  return {
    ...layer,
    mixer: smaller === undefined ? layer.mixer : smaller,
    channel: layer.channel && (intermediateSize === 0 ? null : { ...layer.channel, intermediateSize }),
  };
}

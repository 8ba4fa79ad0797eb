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

/** A mixture of experts: a router sends each token to a few of several MLPs of one width. How it chooses is in the DecoderSpec. */
export interface Mixture {
  readonly kind: "mixture";
  readonly numExperts: number;
  /** Experts that a token goes to. */
  readonly expertsPerToken: number;
  /** Neurons of each expert. */
  readonly intermediateSize: number;
  readonly shared: SharedExpert | undefined;
}

/** An MLP beside the experts, to which all tokens go. */
export interface SharedExpert {
  /** Neurons of its own, or as many as so many experts have together. */
  readonly width: { readonly neurons: number } | { readonly experts: number };
  /** What it writes is multiplied by a sigmoid of the token's state. */
  readonly gated: boolean;
}

export type ChannelMixer = Mlp | Mixture;

export interface LayerSpec {
  /** As `layer_types` of config.json calls it. */
  readonly type: string;
  readonly mixer: Mixer | null;
  readonly channel: ChannelMixer | null;
}

/** What can be cut of a layer; 0 where there is nothing to cut. A mixer that is no attention stays whole; experts have one width. */
export interface LayerSizes {
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
}

/** The attention of a layer, where its mixer is one. */
export const attentionOf = ({ mixer }: Pick<LayerSpec, "mixer">): Attention | undefined =>
  mixer?.kind === "attention" ? mixer : undefined;

/** The mixture of experts of a layer, where its channel mixer is one. */
export const mixtureOf = ({ channel }: Pick<LayerSpec, "channel">): Mixture | undefined =>
  channel?.kind === "mixture" ? channel : undefined;

/** Neurons of the shared expert; 0 where there is none. */
export function sharedWidth({ shared, intermediateSize }: Mixture): number {
  if (shared === undefined) return 0;
  return "neurons" in shared.width ? shared.width.neurons : shared.width.experts * intermediateSize;
}

/** The layer with a mixture of so many experts. */
export const withExperts = (layer: LayerSpec, numExperts: number): LayerSpec => {
  const mixture = mixtureOf(layer);
  return mixture === undefined ? layer : { ...layer, channel: { ...mixture, numExperts } };
};

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

// A family as llama.cpp runs it.
import type { GgufType } from "../../checkpoint/gguf-types.ts";
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";

export interface GgufTraits {
  /** Files of an architecture become the first family that has it. */
  readonly architecture: string;
  /** llama.cpp rotates neighbouring elements, so that the rows of q and k are stored in another order. */
  readonly interleavedRotary: boolean;
  /** llama.cpp reads a divisor for each rotary frequency, by which Llama 3's scaling is stored. */
  readonly ropeDivisors: boolean;
  /** llama.cpp's `deci`, whose layers may differ in width, computes the same function. */
  readonly asDeci: boolean;
  /** llama.cpp applies windows, to layers in a regular order; without this it applies none. */
  readonly regularWindows: boolean;
  /** Fields of config.json beyond those that all families share. `header` has the architecture's keys, unprefixed. */
  readonly config: (header: ConfigFields, sizes: HeaderSizes) => ModelConfig;
  /** The header's keys for them, unprefixed. @throws {CompError} "architecture" for what llama.cpp cannot compute. */
  readonly header: (spec: DecoderSpec) => GgufHeader;
}

/** Values of a GGUF header by key, with their types. */
export type GgufHeader = Readonly<
  Record<string, readonly [type: GgufType, value: string | number | readonly number[]]>
>;

/** Sizes from which further fields follow. */
export interface HeaderSizes {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly headDim: number;
}

/** Rows in the order of transformers, no header keys of its own. */
export const PLAIN_GGUF = {
  interleavedRotary: false,
  ropeDivisors: false,
  asDeci: true,
  regularWindows: false,
  config: (): ModelConfig => ({}),
  header: (): GgufHeader => ({}),
} as const;

/** Mistral's GGUF files call themselves llama too; llama.cpp runs them without a window. */
export const LLAMA_GGUF: GgufTraits = {
  ...PLAIN_GGUF,
  architecture: "llama",
  interleavedRotary: true,
  ropeDivisors: true,
};

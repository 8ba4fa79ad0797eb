// Which type each tensor of a GGUF file gets: the mixtures of llama.cpp, as its quantizer chooses them (llama_tensor_get_type in
// src/llama-quant.cpp). Most matrices have the type that gives a mixture its name; those that suffer most from rounding have more bits.
import { blockSize, type Dtype, type WritableDtype } from "../../checkpoint/dtype.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { attentionOf } from "../spec/parts.ts";
import type { Role } from "../spec/roles.ts";
import type { ExpectedTensor } from "../spec/tensor-names.ts";

/** The type of a stored tensor, by its shape and by which tensors of the model lie in it. */
export type TypeOfStored = (stored: {
  readonly shape: readonly number[];
  readonly pieces: readonly { readonly tensor: ExpectedTensor }[];
}) => Dtype;

interface MixtureTraits {
  /** llama.cpp's number for it, `general.file_type`. */
  readonly fileType: number;
  /** The type of most matrices. */
  readonly base: WritableDtype;
  /** Those of the value projections, or of what holds queries, keys and values in one; undefined where it is the base. */
  readonly value?: (place: Place) => WritableDtype | undefined;
  readonly attentionOutput?: WritableDtype;
  readonly down?: (place: Place) => WritableDtype | undefined;
}

/** Where a matrix stands. */
interface Place {
  /** How many of its kind stand before it. */
  readonly index: number;
  /** How many there are; of the down projections as many as layers. */
  readonly count: number;
  /** Query heads to a key-value head in the first layer; 0 where it has none. */
  readonly queriesPerKey: number;
  /** An importance of their columns goes into the matrices. */
  readonly weighted: boolean;
}

const eighth = (count: number): number => Math.floor(count / 8);
/** The first and the last eighth, and every third between. */
const getsMoreBits = ({ index, count }: Place): boolean =>
  index < eighth(count) || index >= eighth(7 * count) || (index - eighth(count)) % 3 === 2;
const isGrouped = ({ queriesPerKey }: Place): boolean => queriesPerKey >= 4;
const isEarly = ({ index, count }: Place): boolean => index < eighth(count);

const moreBits = (place: Place): WritableDtype | undefined => (getsMoreBits(place) ? "Q6_K" : undefined);
const uneven: Omit<MixtureTraits, "fileType" | "base"> = {
  value: (place) => (isGrouped(place) ? "Q5_K" : undefined),
  down: (place) => (isEarly(place) && !place.weighted ? "Q5_K" : undefined),
};

/** A row each. */
export const MIXTURES = {
  f32: { fileType: 0, base: "F32" },
  f16: { fileType: 1, base: "F16" },
  bf16: { fileType: 32, base: "BF16" },
  q8_0: { fileType: 7, base: "Q8_0" },
  q6_k: { fileType: 18, base: "Q6_K" },
  q5_k_m: { fileType: 17, base: "Q5_K", value: moreBits, down: moreBits },
  q5_k_s: { fileType: 16, base: "Q5_K" },
  q5_1: { fileType: 9, base: "Q5_1" },
  q5_0: { fileType: 8, base: "Q5_0", down: (place) => (isEarly(place) && place.weighted ? "Q5_1" : undefined) },
  q4_k_m: { fileType: 15, base: "Q4_K", value: moreBits, down: moreBits },
  q4_k_s: {
    fileType: 14,
    base: "Q4_K",
    value: ({ index }) => (index < 4 ? "Q5_K" : undefined),
    down: (place) => (isEarly(place) ? "Q5_K" : undefined),
  },
  q4_1: { fileType: 3, base: "Q4_1" },
  q4_0: { fileType: 2, base: "Q4_0", down: (place) => (isEarly(place) && place.weighted ? "Q4_1" : undefined) },
  q3_k_l: { fileType: 13, base: "Q3_K", value: () => "Q5_K", attentionOutput: "Q5_K", down: () => "Q5_K" },
  q3_k_m: {
    fileType: 12,
    base: "Q3_K",
    value: ({ index }) => (index < 2 ? "Q5_K" : "Q4_K"),
    attentionOutput: "Q4_K",
    down: ({ index, count }) => (index < Math.floor(count / 16) ? "Q5_K" : "Q4_K"),
  },
  q3_k_s: { fileType: 11, base: "Q3_K" },
  q2_k: {
    fileType: 10,
    base: "Q2_K",
    value: (place) => (isGrouped(place) ? "Q4_K" : "Q3_K"),
    attentionOutput: "Q3_K",
    down: () => "Q3_K",
  },
  iq4_nl: { fileType: 25, base: "IQ4_NL", ...uneven },
  iq4_xs: { fileType: 30, base: "IQ4_XS", ...uneven },
} as const satisfies Readonly<Record<string, MixtureTraits>>;

export type Mixture = keyof typeof MIXTURES;

/** What takes the place of a type with blocks of 256 where they do not fill a row. */
const FALLBACKS: Readonly<Partial<Record<WritableDtype, WritableDtype>>> = {
  Q2_K: "Q4_0",
  Q3_K: "Q4_0",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
  IQ4_XS: "IQ4_NL",
};

/** With so many layers and grouped heads llama.cpp takes a model for a Llama 70B, whose few values deserve more. */
const LAYERS_OF_70B = 80;

/** Matrices that llama.cpp does not quantize. */
const IN_F32: ReadonlySet<Role> = new Set<Role>([
  "positions",
  "convKernel",
  "router",
  "sharedSwitch",
  "expertGateBias",
  "expertUpBias",
  "expertDownBias",
]);
/** Whether llama.cpp wants a tensor as F32, whatever the others are. */
export const isAlwaysF32 = (shape: readonly number[], role: Role): boolean => shape.length === 1 || IN_F32.has(role);

/** What llama.cpp calls attn_v or attn_qkv. */
const VALUES: ReadonlySet<Role> = new Set<Role>(["vProj", "deltaProj"]);

/** What it calls ffn_down, ffn_down_exps or ffn_down_shexp. */
const DOWNS: ReadonlySet<Role> = new Set<Role>(["downProj", "expertDown", "sharedDown"]);

/**
 * The types of the tensors of a file.
 * @param spec     the model as the file stores it
 * @param weighted importance goes into the quantizing, for which llama.cpp chooses a little differently
 */
export function mixtureTypes(name: Mixture, spec: DecoderSpec, weighted: boolean): TypeOfStored {
  const mixture: MixtureTraits = MIXTURES[name];
  const placeOf = places(spec, weighted);
  return ({ shape, pieces }) => {
    const { role, layer } = pieces[0]!.tensor;
    if (isAlwaysF32(shape, role)) return "F32";
    const row = shape.at(-1)!;
    if (blockSize(mixture.base) === 1) return mixture.base;
    if (layer === undefined) return fitting(isHead(role, spec) ? headType(mixture.base, row) : mixture.base, row);
    const roles = pieces.map(({ tensor }) => tensor.role);
    return fitting(typeInLayer(mixture, roles, placeOf(layer), spec) ?? mixture.base, row);
  };
}

const isHead = (role: Role, { tiedEmbeddings }: DecoderSpec): boolean =>
  role === (tiedEmbeddings ? "embedTokens" : "lmHead");

const headType = (base: WritableDtype, row: number): WritableDtype =>
  base === "Q8_0" || row % blockSize(base) !== 0 ? "Q8_0" : "Q6_K";

function typeInLayer(
  mixture: MixtureTraits,
  roles: readonly Role[],
  { values, downs, isAttention }: LayerPlaces,
  spec: DecoderSpec,
): WritableDtype | undefined {
  if (roles.some((role) => VALUES.has(role))) {
    const type = mixture.value?.(values) ?? mixture.base;
    const isLow = type === "Q3_K" || type === "Q4_K";
    return isLow && spec.layers.length === LAYERS_OF_70B && values.queriesPerKey > 1 ? "Q5_K" : type;
  }
  if (roles.some((role) => DOWNS.has(role))) return mixture.down?.(downs);
  return roles.includes("oProj") && isAttention ? mixture.attentionOutput : undefined;
}

interface LayerPlaces {
  readonly values: Place;
  readonly downs: Place;
  readonly isAttention: boolean;
}

function places({ layers }: DecoderSpec, weighted: boolean): (layer: number) => LayerPlaces {
  const first = layers[0] && attentionOf(layers[0]);
  const shared = { weighted, queriesPerKey: first ? Math.floor(first.numAttentionHeads / first.numKeyValueHeads) : 0 };
  const hasValues = layers.map(({ mixer }) => mixer?.kind === "attention" || mixer?.kind === "gated-delta");
  const valueCount = hasValues.filter(Boolean).length;
  return (layer) => ({
    values: { ...shared, index: hasValues.slice(0, layer).filter(Boolean).length, count: valueCount },
    downs: {
      ...shared,
      index: layers.slice(0, layer).filter(({ channel }) => channel !== null).length,
      count: layers.length,
    },
    isAttention: layers[layer]!.mixer?.kind === "attention",
  });
}

/** The type, or what stands in for it where its blocks do not fill a row. */
export function fitting(dtype: WritableDtype, row: number): WritableDtype {
  const fallback = row % blockSize(dtype) === 0 ? dtype : FALLBACKS[dtype];
  return fallback !== undefined && row % blockSize(fallback) === 0 ? fallback : "F16";
}

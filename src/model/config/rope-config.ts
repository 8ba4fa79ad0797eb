// Rotary embedding as config.json states it: `rope_theta` and `rope_scaling` (transformers 4), `rope_parameters`
// (transformers 5, for some families one per layer type). What they mean is in spec/rope.ts.
import { CompError, describeValue } from "../../errors.ts";
import type { RopeSpec } from "../spec/rope.ts";
import { type ConfigFields, isObject, type ModelConfig } from "./config-fields.ts";
import { LIMITS } from "./limits.ts";

/** How a family's config.json states the rotary embedding of each type of layer. */
export interface RopeRule {
  /** @throws {CompError} "architecture" for an unsupported kind. */
  readonly parse: (fields: ConfigFields) => RopeByWindow;
  /** The same in the fields of transformers 4, and the share of each head that is rotated. */
  readonly fields: (rope: RopeByWindow, share: number) => ModelConfig;
  /** The share of each head that is rotated. */
  readonly share: (fields: ConfigFields) => number;
}

/** That of layers whose attention sees everything, and of those whose attention has a window. */
export interface RopeByWindow {
  readonly full_attention: RopeSpec;
  readonly sliding_attention: RopeSpec;
}

/** All layers share one, and rotate whole heads. */
export const sharedRope: RopeRule = {
  parse: (fields) => {
    const rope = parseShared(fields);
    return { full_attention: rope, sliding_attention: rope };
  },
  fields: ({ full_attention: rope }) => ({ rope_theta: rope.theta, ...scalingField(rope) }),
  share: wholeHeads,
};

/** All layers share one, which may rotate a part of each head. */
export const partialRope: RopeRule = {
  ...sharedRope,
  // said even where it is 1, which is not every family's default
  fields: (rope, share) => ({ ...sharedRope.fields(rope, 1), partial_rotary_factor: share }),
  share: (fields) => {
    const parameters = ropeParameters(fields);
    const own = parameters.get("partial_rotary_factor") === undefined ? fields : parameters;
    return own.get("partial_rotary_factor") === undefined ? 1 : own.positive("partial_rotary_factor");
  },
};

/** Layers with a window have their own, never scaled, of a base that a field of its own names. */
export const ropeOfWindows = (base: string): RopeRule => ({
  parse: (fields) => parseByLayerType(fields, base),
  fields: (rope) => ({ ...sharedRope.fields(rope, 1), [base]: rope.sliding_attention.theta }),
  share: wholeHeads,
});

/** Gemma 3's windows. */
export const ropeByLayerType: RopeRule = ropeOfWindows("rope_local_base_freq");

/** What is said about a rotation that all layers share, besides its base. */
export const ropeParameters = (fields: ConfigFields): ConfigFields => fields.object(parametersKey(fields));

const parametersKey = (fields: ConfigFields): string =>
  fields.get("rope_scaling") === undefined ? "rope_parameters" : "rope_scaling";

function wholeHeads(fields: ConfigFields): number {
  const nested = ["rope_parameters", "rope_scaling"].map((key) => fields.object(key));
  const byType = nested.flatMap((parameters) =>
    Object.keys(parameters.config)
      .filter((key) => isObject(parameters.config[key]))
      .map((key) => parameters.object(key)),
  );
  for (const source of [fields, ...nested, ...byType])
    if ((source.get("partial_rotary_factor") ?? 1) !== 1)
      throw new CompError("architecture", `${source.source} asks for partial rotary embedding, which is not supported`);
  return 1;
}

function parseShared(fields: ConfigFields): RopeSpec {
  const scaling = parametersKey(fields);
  const parameters = fields.object(scaling);
  if (Object.values(parameters.config).some(isObject))
    throw new CompError(
      "architecture",
      `${fields.source} gives ${scaling} per layer type, which is not supported here`,
    );
  return ropeSpec(fields, parameters, "rope_theta");
}

function parseByLayerType(fields: ConfigFields, base: string): RopeByWindow {
  const parameters = fields.object("rope_parameters");
  const full =
    fields.get("rope_scaling") === undefined ? parameters.object("full_attention") : fields.object("rope_scaling");
  return {
    full_attention: ropeSpec(fields, full, "rope_theta"),
    sliding_attention: ropeSpec(fields, parameters.object("sliding_attention"), base),
  };
}

type Kind = RopeSpec["kind"];

/** Reads the fields of each kind besides the base. `fields` is the whole configuration, `parameters` the part on rotation. */
const KINDS: {
  readonly [K in Kind]: (
    parameters: ConfigFields,
    fields: ConfigFields,
  ) => Omit<Extract<RopeSpec, { kind: K }>, "kind" | "theta">;
} = {
  default: () => ({}),
  linear: (parameters) => ({ factor: parameters.positive("factor") }),
  dynamic: (parameters, fields) => ({
    factor: parameters.positive("factor"),
    maxPositionEmbeddings: fields.size("max_position_embeddings", LIMITS.positions),
  }),
  "ntk-alpha": (parameters) => ({ alpha: parameters.positive("alpha") }),
  llama3: (parameters, fields) => ({
    factor: parameters.positive("factor"),
    lowFreqFactor: parameters.positive("low_freq_factor"),
    highFreqFactor: parameters.positive("high_freq_factor"),
    originalMaxPositionEmbeddings: originalLength(parameters, fields),
  }),
  yarn: (parameters, fields) => {
    const factor = factorOf(parameters, fields);
    return {
      factor,
      betaFast: parameters.get("beta_fast") ? parameters.positive("beta_fast") : 32,
      betaSlow: parameters.get("beta_slow") ? parameters.positive("beta_slow") : 1,
      truncate: parameters.get("truncate") !== false,
      originalMaxPositionEmbeddings: originalLength(parameters, fields),
      attentionFactor: statedYarnFactor(parameters, factor),
    };
  },
  longrope: (parameters, fields) => {
    const original = originalLength(parameters, fields);
    const factor = factorOf(parameters, fields);
    return {
      shortFactor: parameters.numbers("short_factor"),
      longFactor: parameters.numbers("long_factor"),
      originalMaxPositionEmbeddings: original,
      attentionFactor:
        parameters.get("attention_factor") === undefined
          ? longropeAttentionFactor(factor, original)
          : parameters.positive("attention_factor"),
    };
  },
};

function ropeSpec(fields: ConfigFields, parameters: ConfigFields, baseKey: string): RopeSpec {
  const theta =
    parameters.get("rope_theta") === undefined ? fields.positive(baseKey) : parameters.positive("rope_theta");
  const kind = parameters.get("rope_type") ?? parameters.get("type") ?? "default";
  const read = typeof kind === "string" && Object.hasOwn(KINDS, kind) ? KINDS[kind as Kind] : undefined;
  if (read !== undefined) return { kind, theta, ...read(parameters, fields) } as RopeSpec;
  throw new CompError(
    "architecture",
    `${fields.source} asks for rotary embedding of kind ${describeValue(kind)}, which is not supported`,
    { hint: `supported: ${Object.keys(KINDS).join(", ")}` },
  );
}

/** Positions that the model was first trained on. */
export function originalLength(parameters: ConfigFields, fields: ConfigFields): number {
  const key = "original_max_position_embeddings";
  const source = [parameters, fields].find((candidate) => candidate.get(key) !== undefined);
  return source?.size(key, LIMITS.positions) ?? fields.size("max_position_embeddings", LIMITS.positions);
}

const factorOf = (parameters: ConfigFields, fields: ConfigFields): number =>
  parameters.get("factor") === undefined
    ? fields.size("max_position_embeddings", LIMITS.positions) / originalLength(parameters, fields)
    : parameters.positive("factor");

/** As given, or by the factor: with `mscale` and `mscale_all_dim`, which DeepSeek introduced, as their quotient. */
function statedYarnFactor(parameters: ConfigFields, factor: number): number {
  if (parameters.get("attention_factor") !== undefined) return parameters.positive("attention_factor");
  if (!parameters.get("mscale") || !parameters.get("mscale_all_dim")) return yarnAttentionFactor(factor);
  const [own, all] = [parameters.positive("mscale"), parameters.positive("mscale_all_dim")];
  return yarnAttentionFactor(factor, own) / yarnAttentionFactor(factor, all);
}

/** What cosines and sines are multiplied with once a context is `factor` times as long: by YaRN … */
export const yarnAttentionFactor = (factor: number, scale = 1): number =>
  factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;

/** … and by longrope, from `original` tokens on. */
export const longropeAttentionFactor = (factor: number, original: number): number =>
  factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));

/** `rope_scaling` where transformers 4 needs it said: what is neither plain nor one of the first kinds stays as the source has it. */
const scalingField = (rope: RopeSpec): ModelConfig => {
  const scaling = ropeScaling(rope);
  return scaling === undefined ? {} : { rope_scaling: scaling };
};

/** `rope_scaling` as transformers 4 and 5 read it; null where nothing is scaled, undefined for kinds that are not rewritten. */
export function ropeScaling(rope: RopeSpec): ModelConfig | null | undefined {
  switch (rope.kind) {
    case "default":
      return null;
    case "linear":
      return { rope_type: rope.kind, factor: rope.factor };
    case "llama3":
      return {
        rope_type: rope.kind,
        factor: rope.factor,
        low_freq_factor: rope.lowFreqFactor,
        high_freq_factor: rope.highFreqFactor,
        original_max_position_embeddings: rope.originalMaxPositionEmbeddings,
      };
    default:
      return undefined;
  }
}

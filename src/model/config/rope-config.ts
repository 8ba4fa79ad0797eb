// Rotary embedding as config.json states it: `rope_theta` and `rope_scaling` (transformers 4), `rope_parameters`
// (transformers 5, for some families one per layer type). What they mean is in spec/rope.ts.
import { CompError } from "../../errors.ts";
import type { RopeSpec } from "../spec/decoder-spec.ts";
import { type ConfigFields, isObject, LIMITS, type ModelConfig } from "./config-fields.ts";
import type { LayerType } from "./layer-types.ts";

/** How a family's config.json states the rotary embedding of each type of layer. */
export interface RopeRule {
  /** @throws {CompError} "architecture" for an unsupported kind. */
  readonly parse: (fields: ConfigFields) => RopeByLayerType;
  /** The same in the fields of transformers 4. */
  readonly fields: (rope: RopeByLayerType) => ModelConfig;
}

type RopeByLayerType = Readonly<Record<LayerType, RopeSpec>>;

/** All layers share one. */
export const sharedRope: RopeRule = {
  parse: (fields) => {
    const rope = parseShared(fields);
    return { full_attention: rope, sliding_attention: rope };
  },
  fields: ({ full_attention: rope }) => ({ rope_theta: rope.theta, rope_scaling: ropeScaling(rope) }),
};

/** Layers with a window have their own, of base `rope_local_base_freq` and never scaled (Gemma 3). */
export const ropeByLayerType: RopeRule = {
  parse: parseByLayerType,
  fields: (rope) => ({ ...sharedRope.fields(rope), rope_local_base_freq: rope.sliding_attention.theta }),
};

function parseShared(fields: ConfigFields): RopeSpec {
  const scaling = fields.get("rope_scaling") === undefined ? "rope_parameters" : "rope_scaling";
  const parameters = fields.object(scaling);
  if (Object.values(parameters.config).some(isObject))
    throw new CompError(
      "architecture",
      `${fields.source} gives ${scaling} per layer type, which is not supported here`,
    );
  return ropeSpec(fields, parameters, "rope_theta");
}

function parseByLayerType(fields: ConfigFields): RopeByLayerType {
  const parameters = fields.object("rope_parameters");
  const full =
    fields.get("rope_scaling") === undefined ? parameters.object("full_attention") : fields.object("rope_scaling");
  return {
    full_attention: ropeSpec(fields, full, "rope_theta"),
    sliding_attention: ropeSpec(fields, parameters.object("sliding_attention"), "rope_local_base_freq"),
  };
}

function ropeSpec(fields: ConfigFields, parameters: ConfigFields, baseKey: string): RopeSpec {
  const theta =
    parameters.get("rope_theta") === undefined ? fields.positive(baseKey) : parameters.positive("rope_theta");
  for (const source of [fields, parameters])
    if ((source.get("partial_rotary_factor") ?? 1) !== 1)
      throw new CompError("architecture", `${source.source} asks for partial rotary embedding, which is not supported`);
  const kind = (parameters.get("rope_type") ?? parameters.get("type") ?? "default") as RopeSpec["kind"];
  switch (kind) {
    case "default":
      return { kind, theta };
    case "linear":
      return { kind, theta, factor: parameters.positive("factor") };
    case "llama3":
      return { kind, theta, ...llama3(fields, parameters) };
    default:
      throw new CompError(
        "architecture",
        `${fields.source} asks for rotary embedding of kind ${JSON.stringify(kind)}, which is not supported`,
        { hint: "supported: default, linear, llama3" },
      );
  }
}

function llama3(
  fields: ConfigFields,
  parameters: ConfigFields,
): Omit<Extract<RopeSpec, { kind: "llama3" }>, "kind" | "theta"> {
  const key = "original_max_position_embeddings";
  const original =
    parameters.get(key) === undefined
      ? fields.size("max_position_embeddings", LIMITS.positions)
      : parameters.size(key, LIMITS.positions);
  return {
    factor: parameters.positive("factor"),
    lowFreqFactor: parameters.positive("low_freq_factor"),
    highFreqFactor: parameters.positive("high_freq_factor"),
    originalMaxPositionEmbeddings: original,
  };
}

/** `rope_scaling` as transformers 4 and 5 read it; null where nothing is scaled. */
export function ropeScaling(rope: RopeSpec): ModelConfig | null {
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
  }
}

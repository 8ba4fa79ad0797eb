// Mixtures of experts as GGUF headers state them.
import type { ConfigFields, ModelConfig } from "../config/config-fields.ts";
import { LIMITS } from "../config/limits.ts";
import { type MixtureRule, PER_TOKEN } from "../config/mixture.ts";
import type { GgufExperts, GgufHeader } from "../families/gguf-traits.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { mixtureOf } from "../spec/parts.ts";

const KEYS = {
  count: "expert_count",
  perToken: "expert_used_count",
  width: "expert_feed_forward_length",
  dense: "leading_dense_block_count",
  scores: "expert_gating_func",
  scale: "expert_weights_scale",
} as const;

/** llama.cpp's number for a sigmoid. */
const SIGMOID = 2;

/** The fields of config.json for the experts of a file. */
export function mixtureConfig(header: ConfigFields, rule: MixtureRule): ModelConfig {
  const width = header.get(KEYS.width) === undefined ? "feed_forward_length" : KEYS.width;
  return {
    [rule.counts.at(-1)!]: header.get(KEYS.count),
    [PER_TOKEN]: header.get(KEYS.perToken),
    [rule.width]: header.size(width, LIMITS.intermediateSize),
    ...(header.get(KEYS.scale) ? { routed_scaling_factor: header.positive(KEYS.scale) } : {}),
    ...rule.denseFields?.({}, leading(header)),
  };
}

/** The layers with a plain MLP, which are the first ones. */
function leading(header: ConfigFields): number[] {
  const count = header.get(KEYS.dense) ? header.size(KEYS.dense, LIMITS.layers) : 0;
  return Array.from({ length: count }, (_, index) => index);
}

/** The header's keys for the mixtures of a model, unprefixed; none where it has no mixture. */
export function mixtureHeader({ layers, routing }: DecoderSpec): GgufHeader {
  const [mixture] = layers.flatMap((layer) => mixtureOf(layer) ?? []);
  if (mixture === undefined || routing === undefined) return {};
  const { scores, scale } = routing;
  return {
    [KEYS.count]: ["u32", mixture.numExperts],
    [KEYS.perToken]: ["u32", mixture.expertsPerToken],
    [KEYS.width]: ["u32", mixture.intermediateSize],
    ...(scores === "sigmoid" ? { [KEYS.scores]: ["u32", SIGMOID], [KEYS.dense]: ["u32", denseCount(layers)] } : {}),
    ...(scale === 1 ? {} : { [KEYS.scale]: ["f32", scale] }),
  };
}

const denseCount = (layers: DecoderSpec["layers"]): number =>
  layers.filter((layer) => mixtureOf(layer) === undefined).length;

/** What of a model's mixtures an architecture does not know, in words; undefined where it computes all of it. */
export function unknownMixture(
  known: GgufExperts | undefined,
  { layers, routing }: Pick<DecoderSpec, "layers" | "routing">,
): string | undefined {
  if (routing === undefined) return undefined;
  if (known === undefined) return "mixtures of experts";
  if (routing.scores !== known.scores) return `a router with a ${routing.scores}`;
  if ((routing.renormalised !== undefined) !== known.renormalised)
    return `weights of experts that are ${routing.renormalised ? "" : "not "}made to sum to 1`;
  if (routing.correction !== known.correction) return `${routing.correction ? "a" : "no"} correction of the choice`;
  if (routing.groups) return "groups of experts";
  const first = layers.findIndex((layer) => mixtureOf(layer) !== undefined);
  const dense = layers.map((layer) => mixtureOf(layer) === undefined);
  return dense.some((isDense, index) => isDense && !(known.denseFirst && index < first))
    ? "layers without experts among the others"
    : undefined;
}

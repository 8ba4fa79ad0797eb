// Mixtures of experts as config.json states them: which layers have one, its sizes, and how its router chooses.
import { CompError } from "../../errors.ts";
import type { Routing } from "../spec/decoder-spec.ts";
import { type LayerSpec, type Mixture, mixtureOf, type SharedExpert, sharedWidth } from "../spec/parts.ts";
import type { ConfigFields, ModelConfig } from "./config-fields.ts";
import { LIMITS } from "./limits.ts";

export interface MixtureRule {
  /** Fields for the number of experts, of which the first that is there counts; the last is written where none is there. */
  readonly counts: readonly string[];
  /** The field for the neurons of each expert. */
  readonly width: string;
  readonly shared?: (fields: ConfigFields) => SharedExpert | undefined;
  /** Whether a layer has a plain MLP instead. */
  readonly isDense?: (fields: ConfigFields, index: number) => boolean;
  /** The fields that say which layers have one, when they change. */
  readonly denseFields?: (config: ModelConfig, dense: readonly number[]) => ModelConfig;
  readonly routing: (fields: ConfigFields) => Routing;
}

/** The router of most families: softmax over all, the chosen ones renormalised. */
export const SOFTMAX: Routing = {
  scores: "softmax",
  renormalised: { plus: 0 },
  scale: 1,
  bias: false,
  correction: false,
  groups: undefined,
  expertBias: false,
};

/** The same, renormalised only where `norm_topk_prob` says so. */
export const softmaxAsStated = (fields: ConfigFields): Routing => ({
  ...SOFTMAX,
  renormalised: fields.flag("norm_topk_prob") ? { plus: 0 } : undefined,
});

/** Most experts that are accepted. */
const MOST_EXPERTS = 65_536;

/** The field for the experts that a token goes to. */
export const PER_TOKEN = "num_experts_per_tok";

/** The mixture of a layer; undefined where it has none. @throws {CompError} "checkpoint" for sizes that are missing or impossible */
export function parseMixture(rule: MixtureRule, fields: ConfigFields, index: number): Mixture | undefined {
  if (rule.isDense?.(fields, index)) return undefined;
  const count = rule.counts.find((key) => fields.get(key) !== undefined) ?? rule.counts.at(-1)!;
  const numExperts = fields.size(count, MOST_EXPERTS);
  const expertsPerToken = fields.size(PER_TOKEN, MOST_EXPERTS);
  if (expertsPerToken > numExperts)
    throw new CompError(
      "checkpoint",
      `${fields.source} sends each token to ${expertsPerToken} of ${numExperts} experts`,
    );
  const intermediateSize = fields.size(rule.width, LIMITS.intermediateSize);
  return { kind: "mixture", numExperts, expertsPerToken, intermediateSize, shared: rule.shared?.(fields) };
}

/** The fields of config.json for mixtures of these sizes; a count stands under the keys that the source has. */
export function mixtureFields(rule: MixtureRule, config: ModelConfig, layers: readonly LayerSpec[]): ModelConfig {
  const [mixture] = layers.flatMap((layer) => mixtureOf(layer) ?? []);
  const dense = layers.flatMap(({ channel }, index) => (channel?.kind === "mlp" ? [index] : []));
  if (mixture === undefined) return rule.denseFields?.(config, dense) ?? {};
  const stated = rule.counts.filter((key) => (config[key] ?? undefined) !== undefined);
  const counts = stated.length > 0 ? stated : rule.counts.slice(-1);
  return {
    ...Object.fromEntries(counts.map((key) => [key, mixture.numExperts])),
    [rule.width]: mixture.intermediateSize,
    ...rule.denseFields?.(config, dense),
  };
}

/** Whether all mixtures have the same sizes. */
export function areMixturesAlike(layers: readonly LayerSpec[]): boolean {
  const mixtures = layers.flatMap((layer) => mixtureOf(layer) ?? []);
  const sizes = (mixture: Mixture): string =>
    `${mixture.numExperts} ${mixture.expertsPerToken} ${mixture.intermediateSize} ${sharedWidth(mixture)}`;
  return mixtures.every((mixture) => sizes(mixture) === sizes(mixtures[0]!));
}

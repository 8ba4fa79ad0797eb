// How many whole experts go, as options and model have it.
import { CompError } from "../errors.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { mixtureOf } from "../model/spec/parts.ts";
import type { SettledOptions } from "../options/prune.ts";
import type { ExpertRule } from "./method.ts";

/** @throws {CompError} "option" for experts that the model does not have or cannot do without */
export function expertRule({ experts }: Pick<SettledOptions, "experts">, spec: DecoderSpec): ExpertRule {
  if (experts === 0) return { kind: "none" };
  const [mixture] = spec.layers.flatMap((layer) => mixtureOf(layer) ?? []);
  if (mixture === undefined)
    throw new CompError("option", `a ${spec.family} has no mixtures of experts to remove any from`, {
      hint: "leave --experts and presets for experts out",
    });
  if (spec.routing?.groups)
    throw new CompError("option", `a ${spec.family} chooses its experts by group, none of them can be removed`, {
      hint: "cut their neurons: leave --experts out",
    });
  if (experts === "auto") return { kind: "search" };
  if (experts === "only") return { kind: "only" };
  const { numExperts, expertsPerToken } = mixture;
  const count = experts < 1 ? Math.max(1, Math.round(experts * numExperts)) : experts;
  const most = numExperts - expertsPerToken;
  if (count <= most) return { kind: "count", count };
  throw new CompError(
    "option",
    `--experts ${experts} leaves ${Math.max(0, numExperts - count)} of ${numExperts} experts; each token goes to ${expertsPerToken}`,
    { hint: `remove ${most} at most` },
  );
}

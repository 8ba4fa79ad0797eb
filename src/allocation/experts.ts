// Whole experts that every mixture gives up alike, before any neuron goes.
import { CompError } from "../errors.ts";
import type { Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { mixtureOf, withExperts } from "../model/spec/parts.ts";
import { reachedSparsity, reaches } from "./equal-widths.ts";

type ExpertGoal = Pick<Method, "experts" | "sparsityOf">;

/**
 * The model without the experts that go by number, or of which as many go as a sparsity takes.
 *
 * @throws {CompError} "budget" where experts alone do not suffice
 */
export function withoutExperts(spec: DecoderSpec, { experts, sparsityOf }: ExpertGoal, sparsity: number): DecoderSpec {
  if (experts.kind === "none" || experts.kind === "search") return spec;
  if (experts.kind === "count") return withFewer(spec, experts.count);
  const counts = Array.from({ length: mostExperts(spec) + 1 }, (_, count) => count);
  const target = { sparsity, of: sparsityOf };
  const count = counts.find((candidate) => reaches(spec, withFewer(spec, candidate), target));
  if (count !== undefined) return withFewer(spec, count);
  const most = reachedSparsity(spec, withFewer(spec, counts.at(-1)!), sparsityOf);
  const message = `a sparsity of ${sparsity} cannot be reached by removing experts alone; ${most.toFixed(3)} is the most`;
  throw new CompError("budget", message, { hint: "ask for less, or cut neurons too: --experts N" });
}

/** How many experts may go from each mixture: as many stay as a token goes to. */
export const mostExperts = ({ layers }: DecoderSpec): number =>
  Math.min(
    ...layers.flatMap((layer) => {
      const mixture = mixtureOf(layer);
      return mixture ? [mixture.numExperts - mixture.expertsPerToken] : [];
    }),
  );

const withFewer = (spec: DecoderSpec, count: number): DecoderSpec => ({
  ...spec,
  layers: spec.layers.map((layer) => withExperts(layer, (mixtureOf(layer)?.numExperts ?? count) - count)),
});

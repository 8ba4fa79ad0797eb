// What a search within a limit found: each mix, and whether pruning was worth it.
import type { Fit, JudgedMix } from "../events/fit.ts";
import { formatBytes, formatFigure, formatPercent } from "./format.ts";

export function renderMix({ dtype, sparsity, bytes, klDivergence }: JudgedMix): string {
  const type = dtype === "auto" ? "own types" : dtype;
  const pruned = sparsity === 0 ? "nothing pruned" : `${formatPercent(sparsity)} pruned`;
  return `${type}, ${pruned}: ${formatBytes(bytes)}, KL divergence about ${formatFigure(klDivergence)}`;
}

/** What was written beside what quantizing alone would have given within the same limit. */
export function renderFitVerdict({ plain, result: { quality, sparsity } }: Fit): string[] {
  if (quality === undefined || sparsity.all === 0) return ["instead         nothing: it is a plain quantization"];
  if (plain === undefined) return ["instead         no type meets the limit without pruning"];
  const lines = [`instead         ${renderMix(plain)}`];
  if (plain.klDivergence > quality.klDivergence) return lines;
  return [...lines, `beware          just quantize: --dtype ${plain.dtype} --sparsity 0 has the smaller divergence`];
}

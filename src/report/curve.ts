// A curve as Markdown, row by row as its points are found.
import type { ModelSize } from "../events/common.ts";
import type { Curve, CurvePoint } from "../events/prune.ts";
import { describeCollapse, formatBytes, formatFigure, formatInteger, formatPercent } from "./format.ts";

const COLUMNS = [
  ["removed", 7],
  ["parameters", 13],
  ["weights", 9],
  ["perplexity", 10],
  ["KL divergence", 13],
  ["same choice", 11],
] as const;

/** The head of the table; it stays in view while the first point is computed. */
export const CURVE_HEADER: readonly string[] = [
  row(COLUMNS.map(([name]) => name)),
  `|${COLUMNS.map(([, width]) => `${"-".repeat(width + 1)}:`).join("|")}|---|`,
];

export function renderPoint(point: CurvePoint, of: "all" | "decoder"): string {
  if ("failure" in point) return row([formatPercent(point.sparsity), "–", "–", "–", "–", "–"], point.failure);
  const { quality, reached } = point;
  const { before, after } = quality.perplexity;
  const same = formatPercent(quality.topOneAgreement);
  const figures = [formatFigure(after), formatFigure(quality.klDivergence), same];
  return row([formatPercent(reached[of]), ...sizes(point), ...figures], describeCollapse(after, before));
}

/** What the points stand against, known when they are. */
export function renderDense({ dense, points }: Curve): string {
  const measured = points.find((point) => "quality" in point);
  const perplexity = measured === undefined ? "–" : formatFigure(measured.quality.perplexity.before);
  return row(["0 %", ...sizes(dense), perplexity, "0", "100 %"], "the dense model");
}

const sizes = ({ parameters, bytes }: ModelSize): string[] => [formatInteger(parameters), formatBytes(bytes)];

function row(cells: readonly string[], remark = ""): string {
  const padded = cells.map((cell, i) => cell.padStart(COLUMNS[i]![1]));
  return `| ${padded.join(" | ")} | ${remark} |`;
}

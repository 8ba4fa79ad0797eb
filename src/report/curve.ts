// A curve as Markdown, row by row as its points are found.
import type { ModelSize, Quality } from "../events/common.ts";
import type { Curve, CurvePoint, QuantizedPoint } from "../events/prune.ts";
import { describeCollapse, describeMaking, formatBytes, formatFigure, formatInteger, formatPercent } from "./format.ts";
import { type Rival, renderVerdict } from "./verdict.ts";

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
  return row([formatPercent(reached[of]), ...sizes(point), ...figuresOf(quality)], collapseOf(quality));
}

/** The dense model in a type. */
export function renderQuantized({ quantized, bytes, quality }: QuantizedPoint): string {
  const remark = [`the dense model in ${quantized}`, collapseOf(quality)].filter((part) => part !== "").join(", ");
  return row(["0 %", "", formatBytes(bytes), ...figuresOf(quality)], remark);
}

const figuresOf = ({ perplexity, klDivergence, topOneAgreement }: Quality): string[] => [
  formatFigure(perplexity.after),
  formatFigure(klDivergence),
  formatPercent(topOneAgreement),
];

const collapseOf = ({ perplexity: { before, after } }: Quality): string => describeCollapse(after, before);

/** What to take at which size, where there are quantizations to choose from; else nothing. */
export function renderCurveVerdict({ dense, points, quantized }: Curve): string[] {
  if (quantized.length === 0) return [];
  const rivalOf = (kind: Rival["kind"], name: string, bytes: number, quality: Quality): Rival => ({
    ...{ kind, name, bytes, klDivergence: quality.klDivergence, bitsPerByte: undefined },
    isCollapsed: collapseOf(quality) !== "",
  });
  const none = { klDivergence: 0, bitsPerByte: undefined, isCollapsed: false };
  return [
    renderVerdict([
      { kind: "dense", name: "dense", bytes: dense.bytes, ...none },
      ...quantized.map((point) => rivalOf("quantized", point.quantized, point.bytes, point.quality)),
      ...points.flatMap((point) =>
        "failure" in point
          ? []
          : rivalOf("pruned", `${formatPercent(point.sparsity)} pruned`, point.bytes, point.quality),
      ),
    ]),
  ];
}

/** What the curve was made by. */
export const renderMaking = (curve: Curve): string =>
  `Made by ${describeMaking(curve.comp, { ...curve, seed: curve.options.seed })}.`;

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

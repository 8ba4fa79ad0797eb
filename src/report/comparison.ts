// A comparison of presets as Markdown: a table for each text, the dense model first.
import { baseName } from "../checkpoint/storage.ts";
import type { CellFailure, CellResult, Comparison, JudgedText } from "../events/compare.ts";
import { describeCollapse, formatBytes, formatFigure, formatInteger, formatPercent, formatSeconds } from "./format.ts";

const HEADER = [
  "preset",
  "removed",
  "parameters",
  "weights",
  "perplexity",
  "KL divergence",
  "same choice",
  "time",
  "memory",
  "",
];

/** The tables, and what their figures mean. */
export function renderComparison(comparison: Comparison): string {
  const { comp, model, options, calibration, cells } = comparison;
  const { context, windows, bos, samples, calibrationContext, sparsityOf } = options;
  const extent = `${windows === 0 ? "all" : windows} windows of ${context} tokens${bos ? " and BOS" : ""}`;
  const origin = calibration.length > 0 ? calibration.join(", ") : "text of the model's own, or the bundled mix";
  const length = `windows of ${calibrationContext} tokens`;
  const amount = samples === undefined ? `as many ${length} as the model's width needs,` : `${samples} ${length}`;
  const judged = cells.find((cell) => "texts" in cell)?.texts ?? [];
  return [
    `# Presets on ${baseName(model)}`,
    "",
    `\`comp compare\` ${comp}. Calibrated on ${amount} of ${origin}; judged on ${extent} of each text. "Removed" counts ${sparsityOf === "all" ? "all parameters" : "the matrices of the decoder layers"}. Time and memory are those of pruning, each in a process of its own.`,
    ...judged.flatMap(({ text }, i) => ["", `## ${text}`, "", ...table(comparison, i)]),
    ...(judged.length === 0 ? ["", ...failures(cells)] : []),
    "",
  ].join("\n");
}

const failures = (cells: Comparison["cells"]): string[] =>
  cells.flatMap((cell) =>
    "failure" in cell ? [`- ${cell.preset}, ${formatPercent(cell.sparsity)}: ${cell.failure}`] : [],
  );

/** The table of the text at a position. */
function table(comparison: Comparison, position: number): string[] {
  const rows = comparison.cells.map((cell) =>
    "failure" in cell ? failureRow(cell) : cellRow(cell, comparison, cell.texts[position]!),
  );
  const rule = HEADER.map((_, i) => (i === 0 || i === HEADER.length - 1 ? "---" : "---:"));
  return [HEADER, rule, denseRow(comparison, position), ...rows].map((row) => `| ${row.join(" | ")} |`);
}

function denseRow({ dense, cells }: Comparison, position: number): string[] {
  const { densePerplexity } = cells.find((cell) => "texts" in cell)!.texts[position]!;
  const sizes = [formatInteger(dense.parameters), formatBytes(dense.bytes)];
  return ["dense", "0 %", ...sizes, formatFigure(densePerplexity!), "0", "100 %", "", "", ""];
}

function cellRow(cell: CellResult, { options }: Comparison, judged: JudgedText): string[] {
  const { perplexity, densePerplexity, klDivergence, topOneAgreement } = judged;
  return [
    cell.preset,
    formatPercent(cell.reached[options.sparsityOf]),
    formatInteger(cell.parameters),
    formatBytes(cell.bytes),
    formatFigure(perplexity),
    formatFigure(klDivergence!),
    formatPercent(topOneAgreement!),
    formatSeconds(cell.seconds),
    formatBytes(cell.peakBytes),
    describeCollapse(perplexity, densePerplexity!),
  ];
}

const failureRow = ({ preset, sparsity, failure }: CellFailure): string[] => [
  preset,
  formatPercent(sparsity),
  ...new Array<string>(HEADER.length - 3).fill("–"),
  `failed: ${failure.replaceAll("|", "\\|")}`,
];

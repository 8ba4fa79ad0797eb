// A comparison of presets as Markdown: a table for each text, the dense model first; then, where there is anything to choose from
// beside presets, all of it by size, and what to take.
import { baseName } from "../checkpoint/storage.ts";
import type {
  CellFailure,
  CellResult,
  Comparison,
  JudgedText,
  OtherResult,
  QuantizedResult,
} from "../events/compare.ts";
import {
  describeCollapse,
  describeMaking,
  formatBytes,
  formatFigure,
  formatInteger,
  formatPercent,
  formatSeconds,
} from "./format.ts";
import { type Rival, renderRivals, renderVerdict } from "./verdict.ts";

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
  const judged = judgedTexts(comparison);
  return [
    `# Presets on ${baseName(model)}`,
    "",
    `Made by ${describeMaking(comp, { ...comparison, seed: options.seed })} (\`comp compare\`). Calibrated on ${amount} of ${origin}; judged on ${extent} of each text. "Removed" counts ${sparsityOf === "all" ? "all parameters" : "the matrices of the decoder layers"}. Time and memory are those of pruning, each in a process of its own.`,
    ...judged.flatMap(({ text }, i) => ["", `## ${text}`, "", ...table(comparison, i)]),
    ...(judged.length === 0 ? ["", ...failures(cells)] : []),
    ...bySize(comparison),
    "",
  ].join("\n");
}

/** What was judged against the dense model, as far as it is finished. */
const judgedTexts = ({ quantized, cells }: Comparison): readonly JudgedText[] =>
  [...quantized, ...cells].find((row) => "texts" in row)?.texts ?? [];

/** Everything in one table, and the verdict. */
function bySize(comparison: Comparison): string[] {
  const { quantized, against, options } = comparison;
  const isPresetsAlone = quantized.length === 0 && against.length === 0 && options.dtypes === "";
  if (isPresetsAlone && options.tasks === undefined) return [];
  const rivals = rivalsOf(comparison);
  const accuracy =
    options.tasks === undefined
      ? ""
      : ` Accuracies are zero-shot, in percent ± a standard error${options.limit === 0 ? "" : `, of the first ${options.limit} questions`}.`;
  const note = `Divergences and bits are means over the texts; quantizations are plain, without importance, and have the size of their GGUF file.${accuracy}`;
  return ["", "## By size", "", note, "", ...renderRivals(rivals), "", renderVerdict(rivals)];
}

function rivalsOf(comparison: Comparison): Rival[] {
  const { dense, quantized, against, cells } = comparison;
  const results = cells.filter((cell) => "texts" in cell);
  return [
    denseRival(dense, judgedTexts(comparison)),
    ...quantized.map((row) => rivalOf(row, row.quantized, "quantized")),
    ...against.map((row) => rivalOf(row, baseName(row.against), "other")),
    ...results.map((row) => rivalOf(row, `${nameOf(row)} at ${formatPercent(row.sparsity)}`, "pruned")),
  ];
}

const denseRival = ({ bytes, tasks }: Comparison["dense"], texts: readonly JudgedText[]): Rival => ({
  ...{ name: "dense", kind: "dense", bytes, tasks, klDivergence: 0, isCollapsed: false },
  // the same bytes of text, so that bits go as the logarithms of perplexities
  bitsPerByte: mean(
    texts.map(({ bitsPerByte, perplexity, densePerplexity }) =>
      densePerplexity === undefined ? undefined : (bitsPerByte * Math.log(densePerplexity)) / Math.log(perplexity),
    ),
  ),
});

function rivalOf(
  { bytes, texts, tasks }: CellResult | QuantizedResult | OtherResult,
  name: string,
  kind: Rival["kind"],
): Rival {
  const isCollapsed = texts.some(
    ({ perplexity, densePerplexity }) =>
      densePerplexity !== undefined && describeCollapse(perplexity, densePerplexity) !== "",
  );
  const klDivergence = mean(texts.map((judged) => judged.klDivergence));
  const bitsPerByte = mean(texts.map((judged) => judged.bitsPerByte));
  return { name, kind, bytes, tasks, klDivergence, bitsPerByte, isCollapsed };
}

/** Undefined where a value is missing. */
function mean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  if (known.length < values.length || known.length === 0) return undefined;
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

const failures = (cells: Comparison["cells"]): string[] =>
  cells.flatMap((cell) =>
    "failure" in cell ? [`- ${nameOf(cell)}, ${formatPercent(cell.sparsity)}: ${cell.failure}`] : [],
  );

/** The table of the text at a position. */
function table(comparison: Comparison, position: number): string[] {
  const rows = comparison.cells.map((cell) =>
    "failure" in cell ? failureRow(cell) : cellRow(cell, comparison, cell.texts[position]!),
  );
  const quantized = comparison.quantized.map((row) => quantizedRow(row, comparison, row.texts[position]!));
  const rule = HEADER.map((_, i) => (i === 0 || i === HEADER.length - 1 ? "---" : "---:"));
  return [HEADER, rule, denseRow(comparison, position), ...quantized, ...rows].map((row) => `| ${row.join(" | ")} |`);
}

function denseRow(comparison: Comparison, position: number): string[] {
  const { dense } = comparison;
  const { densePerplexity } = judgedTexts(comparison)[position]!;
  const sizes = [formatInteger(dense.parameters), formatBytes(dense.bytes)];
  return ["dense", "0 %", ...sizes, formatFigure(densePerplexity!), "0", "100 %", "", "", ""];
}

function quantizedRow({ quantized, bytes }: QuantizedResult, { dense }: Comparison, judged: JudgedText): string[] {
  const [sizes, figures] = [[formatInteger(dense.parameters), formatBytes(bytes)], figuresOf(judged)];
  return [`dense, ${quantized}`, "0 %", ...sizes, ...figures, "", "", remarkOn(judged)];
}

function cellRow(cell: CellResult, { options }: Comparison, judged: JudgedText): string[] {
  return [
    nameOf(cell),
    formatPercent(cell.reached[options.sparsityOf]),
    formatInteger(cell.parameters),
    formatBytes(cell.bytes),
    ...figuresOf(judged),
    formatSeconds(cell.seconds),
    formatBytes(cell.peakBytes),
    remarkOn(judged),
  ];
}

const figuresOf = ({ perplexity, klDivergence, topOneAgreement }: JudgedText): string[] => [
  formatFigure(perplexity),
  formatFigure(klDivergence!),
  formatPercent(topOneAgreement!),
];

const remarkOn = ({ perplexity, densePerplexity }: JudgedText): string =>
  describeCollapse(perplexity, densePerplexity!);

const nameOf = ({ preset, dtype }: CellResult | CellFailure): string =>
  dtype === undefined ? preset : `${preset}, ${dtype}`;

const failureRow = (cell: CellFailure): string[] => [
  nameOf(cell),
  formatPercent(cell.sparsity),
  ...new Array<string>(HEADER.length - 3).fill("–"),
  `failed: ${cell.failure.replaceAll("|", "\\|")}`,
];

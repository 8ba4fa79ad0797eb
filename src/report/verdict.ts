// What to take at which size: every way to a smaller model in one table, those that nothing smaller and better beats marked, and one
// sentence.
import type { TaskFigures } from "../events/model.ts";
import { formatBytes, formatFigure, formatPercent } from "./format.ts";

/** One way to a model of some size. */
export interface Rival {
  readonly name: string;
  readonly kind: "dense" | "quantized" | "pruned" | "other";
  readonly bytes: number;
  /** From the dense model, nats per token; undefined where the model has another tokenizer. */
  readonly klDivergence: number | undefined;
  /** Undefined where it was not measured. */
  readonly bitsPerByte: number | undefined;
  /** Absent where no tasks were asked. */
  readonly tasks?: Readonly<Record<string, TaskFigures>> | undefined;
  /** Whether it is past all use. */
  readonly isCollapsed: boolean;
}

/**
 * The rivals that no other beats in both size and quality, the largest first. Quality is the KL divergence between two that have
 * one, else bits per byte. What has collapsed is no choice.
 */
export function paretoFront(rivals: readonly Rival[]): Rival[] {
  const usable = rivals.filter(({ isCollapsed }) => !isCollapsed);
  return bySize(usable).filter((one) => !usable.some((other) => beats(other, one)));
}

function beats(a: Rival, b: Rival): boolean {
  const [own, other] = lossesOf(a, b);
  return a.bytes <= b.bytes && own <= other && (a.bytes < b.bytes || own < other);
}

function lossesOf(a: Rival, b: Rival): [number, number] {
  if (a.klDivergence !== undefined && b.klDivergence !== undefined) return [a.klDivergence, b.klDivergence];
  return [a.bitsPerByte ?? Number.POSITIVE_INFINITY, b.bitsPerByte ?? Number.POSITIVE_INFINITY];
}

const bySize = (rivals: readonly Rival[]): Rival[] => rivals.toSorted((a, b) => b.bytes - a.bytes);

/** The table by size, the front marked. */
export function renderRivals(rivals: readonly Rival[]): string[] {
  const front = new Set(paretoFront(rivals));
  const dense = rivals.find(({ kind }) => kind === "dense");
  const tasks = Object.keys(rivals.find((rival) => rival.tasks !== undefined)?.tasks ?? {});
  const rows = bySize(rivals).map((rival) => [
    rival.name,
    formatBytes(rival.bytes),
    dense === undefined ? "–" : formatPercent(rival.bytes / dense.bytes),
    rival.klDivergence === undefined ? "–" : formatFigure(rival.klDivergence),
    rival.bitsPerByte === undefined ? "–" : formatFigure(rival.bitsPerByte),
    ...tasks.map((task) => formatAccuracy(rival.tasks?.[task])),
    front.has(rival) ? "●" : rival.isCollapsed ? "collapsed" : "",
  ]);
  const figures = ["size", "of the dense", "KL divergence", "bits per byte", ...tasks];
  const header = ["model", ...figures, "best at its size"];
  const rule = ["---", ...figures.map(() => "---:"), ":---:"];
  return [header, rule, ...rows].map((row) => `| ${row.join(" | ")} |`);
}

/** In percent, with its standard error. */
const formatAccuracy = (figures: TaskFigures | undefined): string =>
  figures === undefined ? "–" : `${(100 * figures.acc).toFixed(1)} ± ${(100 * figures.accStderr).toFixed(1)}`;

/** One sentence: what to take at which size, also where that is not to prune. */
export function renderVerdict(rivals: readonly Rival[]): string {
  const front = paretoFront(rivals);
  const [first, ...others] = front;
  if (first === undefined) return "Take none of these: all have collapsed.";
  const choices = [
    `${titleOf(first)} where ${formatBytes(first.bytes)} fit`,
    ...others.map((rival) => `${titleOf(rival)} from ${formatBytes(rival.bytes)}`),
  ];
  return `${adviceOf(rivals, front)}take ${choices.join(", ")}; nothing here is of use below ${formatBytes(front.at(-1)!.bytes)}.`;
}

/** Whether pruning pays at all, where something was pruned. */
function adviceOf(rivals: readonly Rival[], front: readonly Rival[]): string {
  const kinds = new Set(front.map(({ kind }) => kind));
  if (!rivals.some(({ kind }) => kind === "pruned")) return "Of these ";
  if (!kinds.has("pruned")) return kinds.has("other") ? "Do not prune: " : "Do not prune, quantize: ";
  return kinds.has("quantized") || kinds.has("other") ? "Prune only where it is named here: " : "Prune: ";
}

const titleOf = ({ name, kind }: Rival): string => {
  if (kind === "dense") return "the dense model";
  return kind === "quantized" ? `the dense model in ${name}` : name;
};

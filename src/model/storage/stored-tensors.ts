// Where the tensors of a model lie in a file: one description for reading and for writing, of every format. A stored tensor holds
// rows of one or several tensors of the model, one after the other; its matrices may be transposed, its rotated rows lie in pairs,
// its norms be stored with their offset.
import type { Dtype } from "../../checkpoint/dtype.ts";
import { elementCount } from "../../compute/tensor.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { MODULE_NAMES } from "../spec/module-names.ts";
import type { Mixer } from "../spec/parts.ts";
import type { GlobalModule, Module } from "../spec/roles.ts";
import { type ExpectedTensor, modelTensors } from "../spec/tensor-names.ts";
import type { PairedHead } from "./rotary-pairs.ts";

/** How a family, or a file format, names and stores the modules of a model. */
export interface StorageRule {
  /** Stands before the number of a layer. */
  readonly layers: string;
  /**
   * Names of modules, where they are not Llama's; of a layer's module the part after its number. Modules of the same name lie in
   * one tensor, in the order of the roles. `{head}` makes it a tensor for each head, `{expert}` for each expert; without it the
   * matrices of all experts are stacked, [experts, out, in].
   */
  readonly modules: Readonly<Partial<Record<Module, string>>>;
  /** Names of modules in layers whose token mixer is of a kind. */
  readonly ofMixer?: Readonly<Partial<Record<Mixer["kind"], StorageRule["modules"]>>>;
  /** Fused modules that hold a head of each of their parts, then the next head of each, … */
  readonly byHead?: readonly string[];
  /** The matrices of layers are [in, out] (GPT-2's Conv1D). */
  readonly transposed?: boolean;
  /** The same of stacked experts alone. */
  readonly transposedExperts?: boolean;
  /** Fused modules in which a row of each of their parts follows one another. */
  readonly alternating?: readonly string[];
  /** Modules that are parameters themselves: no ".weight" follows their name, and "_bias" instead of ".bias". */
  readonly parameters?: readonly string[];
  /** What is otherwise in files with stacked experts, where a family has them either way. */
  readonly stackedExperts?: Pick<StorageRule, "modules" | "parameters">;
  /** Rows of queries and keys are stored for a rotation of neighbouring elements. */
  readonly rotaryPairs?: boolean;
  /** The spec's offset of norms is added to their stored weights, not to their biases. */
  readonly addsNormOffset?: boolean;
  /** The kernels of convolutions are [channels, length], without the axis of one channel each. */
  readonly flatKernels?: boolean;
  /** Buffers that follow from the configuration and are not read. */
  readonly ignored?: RegExp;
}

/** Llama's own names. */
export const LLAMA_STORAGE: StorageRule = { layers: "model.layers", modules: {} };

/** Rows `start` to `end` − 1 of a tensor of the model. */
export interface Piece {
  readonly tensor: ExpectedTensor;
  readonly start: number;
  readonly end: number;
  /** Row of the stored tensor where they begin, of all its matrices one below the other; column, where these are transposed. */
  readonly at: number;
  /** Rows of the stored tensor from one to the next. */
  readonly step: number;
}

/** A tensor as it lies in a file. */
export interface StoredTensor {
  readonly name: string;
  /** As the file has it. */
  readonly shape: readonly number[];
  readonly pieces: readonly Piece[];
  /** Matrices that are stacked in it, or vectors, one for each expert; undefined: it is one. */
  readonly experts: number | undefined;
  readonly transposed: boolean;
  /** What is stored is this much more than the weight. */
  readonly offset: number;
  /** Rows are stored in pairs; whether those of a piece are tells `pairsOf`. */
  readonly pairs: PairedHead | undefined;
}

/** Exactly the tensors that a file of a model has under a rule, in the order of the model's own. */
export const storedTensors = (spec: DecoderSpec, rule: StorageRule): StoredTensor[] => [...eachStored(spec, rule)];

/**
 * The same, one layer made after another: a configuration may claim thousands of layers of thousands of heads, and the first
 * tensor that is not there refutes it.
 */
export function* eachStored(spec: DecoderSpec, rule: StorageRule): Generator<StoredTensor, void, void> {
  for (const tensors of byLayer(modelTensors(spec))) {
    const groups = new Map<string, PlacedRows[]>();
    for (const tensor of tensors)
      for (const { name, ...rows } of placedRows(tensor, spec, rule)) append(groups, name, rows);
    for (const [name, rows] of groups) yield storedTensor(name, rows, spec, rule);
  }
}

function append<T>(groups: Map<string, T[]>, name: string, item: T): void {
  const group = groups.get(name);
  if (group) group.push(item);
  else groups.set(name, [item]);
}

/** Neighbours of one layer together, and each tensor outside the layers by itself. */
function byLayer(tensors: readonly ExpectedTensor[]): ExpectedTensor[][] {
  const groups: ExpectedTensor[][] = [];
  for (const tensor of tensors) {
    const group = groups.at(-1);
    if (group && tensor.layer !== undefined && tensor.layer === group[0]!.layer) group.push(tensor);
    else groups.push([tensor]);
  }
  return groups;
}

/** The name of the weight of a module outside the layers. */
export const globalName = ({ modules }: StorageRule, module: GlobalModule): string =>
  `${modules[module] ?? MODULE_NAMES[module]}.weight`;

/** Rows of a tensor, and their rank among all that lie in the same stored tensor. */
interface PlacedRows extends Omit<Piece, "at" | "step"> {
  readonly rank: number;
  /** Whether those of all experts lie in one tensor. */
  readonly stacked: boolean;
}

type NamedRows = PlacedRows & { readonly name: string };

function placedRows(tensor: ExpectedTensor, spec: DecoderSpec, rule: StorageRule): NamedRows[] {
  const mixer = tensor.layer === undefined ? undefined : spec.layers[tensor.layer]!.mixer?.kind;
  const own = mixer && rule.ofMixer?.[mixer];
  const module = own?.[tensor.module] ?? rule.modules[tensor.module] ?? MODULE_NAMES[tensor.module];
  const path = tensor.layer === undefined ? module : `${rule.layers}.${tensor.layer}.${module}`;
  const rows = tensor.shape[0]!;
  const name = `${path}${suffixOf(tensor, rule.parameters?.includes(module) === true)}`;
  if (tensor.experts !== undefined) return inParts(tensor, rows / tensor.experts, name, "{expert}");
  if (module.includes("{head}") || rule.byHead?.includes(module)) return inParts(tensor, spec.headDim, name, "{head}");
  return [{ tensor, start: 0, end: rows, rank: 0, stacked: false, name }];
}

/** The rows of each head or expert; in a tensor of its own where the name has a place for its number. */
const inParts = (tensor: ExpectedTensor, rows: number, name: string, place: string): NamedRows[] =>
  Array.from({ length: tensor.shape[0]! / rows }, (_, part) => ({
    tensor,
    start: part * rows,
    end: (part + 1) * rows,
    rank: part,
    stacked: tensor.experts !== undefined && !name.includes(place),
    name: name.replace(place, `${part}`),
  }));

function suffixOf({ suffix }: ExpectedTensor, isParameter: boolean): string {
  if (!isParameter) return suffix;
  return suffix === ".bias" ? "_bias" : "";
}

function storedTensor(name: string, rows: readonly PlacedRows[], spec: DecoderSpec, rule: StorageRule): StoredTensor {
  const { part, suffix, layer, module, shape: own } = rows[0]!.tensor;
  const experts = rows[0]!.stacked ? rows[0]!.tensor.experts : undefined;
  const { pieces, height } = piecesOf(rows, isAlternating(rows, rule) ? experts : undefined);
  const shape = rule.flatKernels && module === "convKernel" ? [own[0]!, own[2]!] : own;
  const isMatrix = layer !== undefined && shape.length === 2;
  const transposed = isMatrix && (experts === undefined ? rule.transposed : rule.transposedExperts) === true;
  const one = height / (experts ?? 1);
  const inner = transposed ? [shape[1]!, one] : [one, ...shape.slice(1)];
  return {
    name,
    shape: experts === undefined ? inner : [experts, ...inner],
    pieces,
    experts,
    transposed,
    offset: rule.addsNormOffset && part === "norms" && suffix === ".weight" ? spec.normOffset : 0,
    pairs: rule.rotaryPairs ? { headDim: spec.headDim, rotarySize: spec.rotarySize } : undefined,
  };
}

const isAlternating = ([first]: readonly PlacedRows[], { alternating, modules }: StorageRule): boolean =>
  alternating?.includes(modules[first!.tensor.module] ?? "") === true;

/** One below the other by their rank; where they alternate, the rows of those of one rank take turns. */
function piecesOf(
  rows: readonly PlacedRows[],
  alternatingRanks: number | undefined,
): { readonly pieces: readonly Piece[]; readonly height: number } {
  const pieces: Piece[] = [];
  const step = alternatingRanks === undefined ? 1 : rows.length / alternatingRanks;
  let at = 0;
  let turn = 0;
  for (const { tensor, start, end } of rows.toSorted((a, b) => a.rank - b.rank)) {
    pieces.push({ tensor, start, end, at: at + turn, step });
    turn = (turn + 1) % step;
    if (turn === 0) at += step * (end - start);
  }
  return { pieces, height: at };
}

/** Whether rows of it are no rows of the file: of transposed matrices, of parts that alternate, and of stacked vectors. */
export const isInterwoven = ({ transposed, experts, pieces }: StoredTensor): boolean =>
  transposed || pieces[0]!.step > 1 || (experts !== undefined && pieces[0]!.tensor.shape.length === 1);

const ROTATED: ReadonlySet<string> = new Set(["qProj", "qBias", "kProj", "kBias"]);

/** How the rows of a piece are paired, where they are. */
export const pairsOf = ({ pairs }: StoredTensor, { tensor }: Piece): PairedHead | undefined =>
  ROTATED.has(tensor.role) ? pairs : undefined;

/** How the rows of a tensor are stored. Between tensors of one form they may be copied as bytes. */
export interface RowForm {
  readonly dtype: Dtype;
  /** Elements of a row. */
  readonly rowSize: number;
  readonly offset: number;
}

/** That of a tensor of the model; undefined where it is stored as columns, or in several forms. */
export function rowFormOf(places: readonly Place[], dtypeOf: (stored: StoredTensor) => Dtype): RowForm | undefined {
  const forms = places.map(({ stored }) => ({
    dtype: dtypeOf(stored),
    rowSize: elementCount(stored.pieces[0]!.tensor.shape.slice(1)),
    offset: stored.offset,
  }));
  const isOne = forms.every((form) => isSameForm(form, forms[0]));
  return isOne && places.every(({ stored }) => !isInterwoven(stored)) ? forms[0] : undefined;
}

/** Whether rows of the one may be copied to the other as bytes. */
export const isSameForm = (a: RowForm | undefined, b: RowForm | undefined): boolean =>
  a !== undefined && a.dtype === b?.dtype && a.rowSize === b.rowSize && a.offset === b.offset;

/** The places of each tensor of the model, by its name. */
export function placesByName(stored: readonly StoredTensor[]): Map<string, readonly Place[]> {
  const places = new Map<string, Place[]>();
  for (const one of stored) for (const piece of one.pieces) append(places, piece.tensor.name, { stored: one, piece });
  return places;
}

/** Where some rows of a tensor of the model lie. */
export interface Place {
  readonly stored: StoredTensor;
  readonly piece: Piece;
}

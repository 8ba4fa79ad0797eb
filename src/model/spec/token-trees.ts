// Texts that begin alike, as trees of tokens: what they share is computed once, and none of them sees another's continuation.
import type { DecoderSpec } from "./decoder-spec.ts";
import { attentionOf } from "./parts.ts";
import { keepsFrequencies } from "./rope.ts";

/** Tokens that several texts begin with, and what each has behind them. */
export interface TokenTree {
  readonly stem: readonly number[];
  readonly branches: readonly (readonly number[])[];
}

/** Lengths of batches are multiples of this, so that a program serves several. */
const LENGTH_STEP = 8;

/** Tokens that go through a layer at once, as of windows. */
const TOKENS_PER_BATCH = 2048;

export const treeSize = ({ stem, branches }: TokenTree): number =>
  branches.reduce((size, branch) => size + branch.length, stem.length);

/** Whether texts of these lengths may share what they begin with: only attention sees a tree, and all rotate alike. */
export function canShare({ layers }: DecoderSpec, lengths: readonly number[]): boolean {
  const [shortest, longest] = [Math.min(...lengths), Math.max(...lengths)];
  return layers.every((layer) => {
    const attention = attentionOf(layer);
    if (layer.mixer !== null && attention === undefined) return false;
    return attention?.rope === undefined || keepsFrequencies(attention.rope, shortest, longest);
  });
}

/** The tree of some texts. */
export function growTree(texts: readonly (readonly number[])[]): TokenTree {
  const [first = [], ...others] = texts;
  const apart = first.findIndex((id, i) => others.some((text) => text[i] !== id));
  const length = apart < 0 ? first.length : apart;
  return { stem: first.slice(0, length), branches: texts.map((text) => text.slice(length)) };
}

/** Where the states of a text's tokens lie in those of its tree. [tokens of the text] */
export function pathOf({ stem, branches }: TokenTree, branch: number): number[] {
  const start = branches.slice(0, branch).reduce((sum, { length }) => sum + length, stem.length);
  return [...stem.keys(), ...branches[branch]!.map((_, i) => start + i)];
}

/** Owner of a token that all texts of a tree have. */
const STEM = 0;
const PADDING = -1;

/** Trees side by side, padded to one length. */
export interface TreeBatch {
  readonly batch: number; // trees
  readonly length: number; // tokens of each
  readonly ids: Int32Array; // [batch, length]
  readonly positions: Int32Array; // [batch, length]
  /** Whose a token is: 0 = of all texts, 1 … = of one, −1 = padding. [batch, length] */
  readonly owners: Int32Array;
}

/** Whether a token may look at another one of its tree, but for how far it may look back. */
export const isAncestor = (owners: Int32Array, query: number, key: number): boolean =>
  key <= query && (owners[key] === STEM || owners[key] === owners[query]);

/** Cuts trees, the longest first, into ranges that fit through a layer at once; none is padded to more than twice its length. */
export function treeBatches(trees: readonly TokenTree[]): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (let start = 0; start < trees.length; ) {
    const longest = paddedLength(trees[start]!);
    const most = start + Math.max(1, Math.floor(TOKENS_PER_BATCH / longest));
    const short = trees.findIndex((tree, i) => i > start && 2 * paddedLength(tree) < longest);
    const end = Math.min(trees.length, most, short < 0 ? trees.length : short);
    ranges.push({ start, end });
    start = end;
  }
  return ranges;
}

const paddedLength = (tree: TokenTree): number => Math.ceil(treeSize(tree) / LENGTH_STEP) * LENGTH_STEP;

/** @param trees the longest first */
export function layOut(trees: readonly TokenTree[]): TreeBatch {
  const length = paddedLength(trees[0]!);
  const size = trees.length * length;
  const [ids, positions, owners] = [new Int32Array(size), new Int32Array(size), new Int32Array(size).fill(PADDING)];
  trees.forEach(({ stem, branches }, tree) => {
    let at = tree * length;
    const place = (tokens: readonly number[], first: number, owner: number): void => {
      ids.set(tokens, at);
      positions.set(
        tokens.map((_, i) => first + i),
        at,
      );
      owners.fill(owner, at, at + tokens.length);
      at += tokens.length;
    };
    place(stem, 0, STEM);
    for (const [i, branch] of branches.entries()) place(branch, stem.length, i + 1);
  });
  return { batch: trees.length, length, ids, positions, owners };
}

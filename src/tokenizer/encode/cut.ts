// A text cut at the matches of a regex, in the ways that tokenizer.json names.
// Rules: huggingface/tokenizers, tokenizers/src/tokenizer/normalizer.rs, NormalizedString::split

const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;

/** What becomes of a match: nothing, a piece of its own, part of a neighbour, or one piece with the matches beside it. */
export type Behavior = (typeof BEHAVIORS)[number];

/** @throws {Error} for a behavior that tokenizer.json does not have */
export function parseBehavior(value: unknown): Behavior {
  const found = BEHAVIORS.find((behavior) => behavior === value);
  if (found === undefined) throw new Error(`it splits with the behavior ${String(value)}, which is not supported`);
  return found;
}

interface Span {
  start: number;
  end: number;
  readonly isMatch: boolean;
}

/** Spans of a text that are not empty. @param invert what lies between matches counts as a match, and the reverse */
export function cutBy(text: string, regex: RegExp, behavior: Behavior, invert = false): readonly Span[] {
  const spans = spansOf(text, regex, invert);
  switch (behavior) {
    case "Isolated":
      return spans;
    case "Removed":
      return spans.filter(({ isMatch }) => !isMatch);
    case "Contiguous":
      return join(spans, (span, previous) => span.isMatch === previous.isMatch);
    case "MergedWithPrevious":
      return join(spans, (span, previous) => span.isMatch && !previous.isMatch);
    case "MergedWithNext":
      return joinFromEnd(spans);
  }
}

function spansOf(text: string, regex: RegExp, invert: boolean): Span[] {
  const spans: Span[] = [];
  let done = 0;
  const push = (end: number, isMatch: boolean): void => {
    if (end > done) spans.push({ start: done, end, isMatch: isMatch !== invert });
    done = end;
  };
  for (const { 0: match, index } of text.matchAll(regex)) {
    push(index, false);
    push(index + match.length, true);
  }
  push(text.length, false);
  return spans;
}

/** Neighbours put together where `joins` says so of a span and the one before it, as it was before it was joined to others. */
function join(spans: readonly Span[], joins: (span: Span, previous: Span) => boolean): Span[] {
  const joined: Span[] = [];
  spans.forEach((span, i) => {
    const previous = spans[i - 1];
    if (previous !== undefined && joins(span, previous)) joined.at(-1)!.end = span.end;
    else joined.push({ ...span });
  });
  return joined;
}

function joinFromEnd(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (let i = spans.length - 1; i >= 0; i--) {
    const next = spans[i + 1];
    if (next !== undefined && spans[i]!.isMatch && !next.isMatch) joined.at(-1)!.start = spans[i]!.start;
    else joined.push({ ...spans[i]! });
  }
  return joined.reverse();
}

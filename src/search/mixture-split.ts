// How a cut of a mixture is shared between whole layers, whole experts, heads and the neurons of the experts that stay, as far as
// the method leaves them open: found by trials on a part of the text, from one way to share to the best of its neighbours.
import { type Decision, decide, type Findings } from "../allocation/decide.ts";
import { type CutShare, firstShares, settleShare } from "../allocation/shares.ts";
import type { SplitTrial } from "../events/prune.ts";
import type { Method } from "../method/method.ts";
import { type Sweep, tryDecision } from "../prune/sweep.ts";
import type { RunContext } from "../run-context.ts";
import { costAlone, decideLayers, LEAST_GAIN, type SplitDecision } from "./layer-split.ts";
import { splitTrial, trialSweep } from "./trial-sweep.ts";

/** What experts give in the first trials, of what is to go, and by how much more or less they then give. */
const FIRST_SHARES = [0, 0.5, 1];
const SHARE_STEP = 0.25;

/** Each is a whole sweep over a part of the text. */
const MOST_TRIALS = 10;

/** Windows of a trial as a share of all: each expert sees only some of the tokens. */
const TRIAL_SHARE = 1 / 4;

/** What goes at a sparsity; by trials where the method leaves the split between layers or experts and neurons open. */
export const decideSplit = (
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  sparsity: number,
): Promise<SplitDecision> =>
  sweep.method.experts.kind === "search"
    ? decideShare(run, sweep, findings, sparsity)
    : decideLayers(run, sweep, findings, sparsity);

/** The way to share a sparsity from which no step leads to less divergence, as far as there are trials. */
async function decideShare(
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  sparsity: number,
): Promise<SplitDecision> {
  const { model, method } = sweep;
  const trials = new ShareTrials(run, sweep, findings, sparsity);
  let best = least(await trials.tryAll(firstShares(model.spec, method, sparsity, FIRST_SHARES)))!;
  let steps = stepsOf(method);
  for (;;) {
    const { share, klDivergence } = best;
    // layers that cost more alone than the whole model so far need no trial
    const isDear = ({ layers }: CutShare): boolean =>
      layers > 0 && costAlone(findings.influences!, share.layers + layers) >= klDivergence;
    const open = steps.filter((step) => !isDear(step));
    const tried = await trials.tryAll(open.map((step) => stepFrom(share, step)));
    const helps = (one: TriedShare | undefined): boolean => one === undefined || one.klDivergence < klDivergence;
    steps = steps.filter((step) => helps(tried[open.indexOf(step)])); // what does not help is not tried from elsewhere
    const next = least(tried);
    if (next === undefined || 1 - next.klDivergence / klDivergence < LEAST_GAIN) break;
    best = next;
  }
  return { decision: best.decision, splits: trials.splits };
}

/** More and less of each kind that is open. */
function stepsOf({ layers, heads }: Method): CutShare[] {
  const step = (kind: keyof CutShare, size: number): CutShare[] =>
    [-size, size].map((by) => ({ layers: 0, heads: 0, experts: 0, [kind]: by }));
  return [
    ...step("experts", SHARE_STEP),
    ...(layers.kind === "search" ? step("layers", 1) : []),
    ...(heads.kind === "search" ? step("heads", 1) : []),
  ];
}

const stepFrom = (share: CutShare, step: CutShare): CutShare => ({
  layers: share.layers + step.layers,
  heads: share.heads + step.heads,
  experts: share.experts + step.experts,
});

/** A way to share a cut that was tried. */
interface TriedShare {
  readonly share: CutShare;
  readonly decision: Decision;
  /** Nats per token. */
  readonly klDivergence: number;
}

/** The first of least divergence; undefined where there is none. */
const least = (tried: readonly (TriedShare | undefined)[]): TriedShare | undefined =>
  tried.flatMap((one) => one ?? []).toSorted((a, b) => a.klDivergence - b.klDivergence)[0];

/** Tries ways to share a sparsity, none of them twice and so many at most. */
class ShareTrials {
  readonly splits: SplitTrial[] = [];
  readonly #run: RunContext;
  readonly #sweep: Sweep;
  readonly #trial: Sweep;
  readonly #findings: Findings;
  readonly #sparsity: number;
  readonly #known = new Set<string>();

  constructor(run: RunContext, sweep: Sweep, findings: Findings, sparsity: number) {
    this.#run = run;
    this.#sweep = sweep;
    this.#trial = trialSweep(sweep, { ...sweep.method, choosesRidge: false, importance: "none" }, TRIAL_SHARE);
    this.#findings = findings;
    this.#sparsity = sparsity;
  }

  /** Each on its own; undefined where that was tried before, or cannot be. */
  async tryAll(shares: readonly CutShare[]): Promise<(TriedShare | undefined)[]> {
    const tried: (TriedShare | undefined)[] = [];
    for (const share of shares) tried.push(await this.#try(share));
    return tried;
  }

  async #try(share: CutShare): Promise<TriedShare | undefined> {
    const decision = this.splits.length < MOST_TRIALS ? this.#decideNew(share) : undefined;
    if (decision === undefined) return undefined;
    const { klDivergence } = await tryDecision(this.#run, this.#trial, decision);
    const split = splitTrial(this.#sweep, decision, this.#sparsity, klDivergence);
    this.splits.push(split);
    this.#run.report({ type: "split", split });
    return { share, decision, klDivergence };
  }

  /** What goes by a share; undefined where that was tried, or cannot be. */
  #decideNew(share: CutShare): Decision | undefined {
    const { spec } = this.#sweep.model;
    const method = settleShare(spec, this.#sweep.method, share, this.#sparsity);
    if (method === undefined) return undefined;
    const decision = decide(spec, this.#findings, method, this.#sparsity);
    const sizes = JSON.stringify([decision.keptLayers, decision.spec.layers]);
    if (this.#known.has(sizes)) return undefined;
    this.#known.add(sizes);
    return decision;
  }
}

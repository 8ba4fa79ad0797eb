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
export async function decideSplit(
  run: RunContext,
  sweep: Sweep,
  findings: Findings,
  sparsity: number,
): Promise<SplitDecision> {
  if (sweep.method.experts.kind !== "search") return decideLayers(run, sweep, findings, sparsity);
  const { model, method } = sweep;
  const trials = new ShareTrials(run, sweep, findings, sparsity);
  let best = (await trials.leastOf(firstShares(model.spec, method, sparsity, FIRST_SHARES)))!;
  for (;;) {
    const { klDivergence } = best.split;
    // layers that cost more alone than the whole model so far need no trial
    const isCheap = ({ layers: count }: CutShare): boolean =>
      count <= best.share.layers || costAlone(findings.influences!, count) < klDivergence;
    const next = await trials.leastOf(neighbours(best.share, method).filter(isCheap));
    if (next === undefined || 1 - next.split.klDivergence / klDivergence < LEAST_GAIN) break;
    best = next;
  }
  return { decision: best.decision, splits: trials.splits };
}

/** One step further in each kind that is open, or back. */
function neighbours({ layers, heads, experts }: CutShare, method: Method): CutShare[] {
  const steps = [-1, 1];
  return [
    ...steps.map((step) => ({ layers, heads, experts: experts + step * SHARE_STEP })),
    ...(method.layers.kind === "search" ? steps.map((step) => ({ layers: layers + step, heads, experts })) : []),
    ...(method.heads.kind === "search" ? steps.map((step) => ({ layers, heads: heads + step, experts })) : []),
  ];
}

/** A way to share a cut that was tried. */
interface TriedShare {
  readonly share: CutShare;
  readonly decision: Decision;
  readonly split: SplitTrial;
}

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

  /** The one of least divergence of those that were not tried before; undefined where there is none. */
  async leastOf(shares: readonly CutShare[]): Promise<TriedShare | undefined> {
    let least: TriedShare | undefined;
    for (const share of shares) {
      const decision = this.#decideNew(share);
      if (decision === undefined || this.splits.length === MOST_TRIALS) continue;
      const { klDivergence } = await tryDecision(this.#run, this.#trial, decision);
      const split = splitTrial(this.#sweep, decision, this.#sparsity, klDivergence);
      this.splits.push(split);
      this.#run.report({ type: "split", split });
      if (least === undefined || klDivergence < least.split.klDivergence) least = { share, decision, split };
    }
    return least;
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

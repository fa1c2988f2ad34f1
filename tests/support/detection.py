"""How likely an audit of change tracking catches a lie: the figures of ``docs/cbt-audit.md``."""

from math import exp, lgamma


def detection_probability(unreported_blocks: int, lying_blocks: int, sampled_blocks: int) -> float:
    """Return how likely a sample hits at least one lying block, 0 to 1.

    The blocks are drawn without replacement, so the number of hits is hypergeometric:
    ``1 - C(N - K, n) / C(N, n)`` for N unreported blocks of which K lie and n are drawn.

    Raises:
        ValueError: a count is negative, or there are more lying blocks than blocks.
    """
    if min(unreported_blocks, lying_blocks, sampled_blocks) < 0 or lying_blocks > unreported_blocks:
        raise ValueError(f"impossible counts: N={unreported_blocks} K={lying_blocks} n={sampled_blocks}")
    drawn = min(sampled_blocks, unreported_blocks)
    honest = unreported_blocks - lying_blocks
    if not lying_blocks or not drawn:
        return 0.0
    if drawn > honest:
        return 1.0
    missed = _log_choose(honest, drawn) - _log_choose(unreported_blocks, drawn)
    return min(1.0, max(0.0, 1.0 - exp(missed)))


def _log_choose(total: int, taken: int) -> float:
    return lgamma(total + 1) - lgamma(taken + 1) - lgamma(total - taken + 1)

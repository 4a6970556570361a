"""What of a run counts, for any order in which its nodes ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import hypothesis
import hypothesis.strategies as st
import pytest

from thawline.pipeline.metadata.runs import Attempt
from thawline.pipeline.runners import staleness

CHAIN: Mapping[str, Sequence[str]] = {
    'In': (), 'Look': ('In',), 'Gate': ('Look',), 'Change': ('In', 'Gate'), 'Out': ('Change',),
    'Aside': ('In',),
}  # fmt: skip
SAME = dict.fromkeys(CHAIN, 'd')


def below(node: str) -> set[str]:
    """All that directly or indirectly follows a node."""
    direct = {other for other, before in CHAIN.items() if node in before}
    return direct.union(*(below(one) for one in direct)) if direct else set()


def after(ran: Sequence[str], state: str = 'complete') -> dict[str, Attempt]:
    """The newest attempts after nodes ran in this order."""
    return {node: Attempt(number, state, 'd') for number, node in enumerate(ran)}


def test_nothing_is_done_before_anything_ran():
    why = staleness.stale_reasons(CHAIN, {}, SAME)
    assert set(why.values()) == {'did not run'}
    assert staleness.missing_inputs('In', CHAIN, why) == ''
    assert staleness.missing_inputs('Change', CHAIN, why) == 'In did not run; Gate did not run'


def test_all_is_done_after_all_ran_or_came_from_the_cache():
    attempts = after(list(CHAIN)) | {'Change': Attempt(3, 'cached', 'd')}
    assert not any(staleness.stale_reasons(CHAIN, attempts, SAME).values())


@pytest.mark.parametrize(
    ('state', 'words'),
    [('failed', 'failed'), ('canceled', 'was stopped'), ('not run', 'lacked inputs'),
     ('running', 'is running'), ('killed', 'was killed'),
     ('unfinished', 'is running, or was killed'), ('unknown', 'failed')],
)  # fmt: skip
def test_a_node_that_did_not_end_well_is_missing_to_the_next(state, words):
    attempts = after(['In', 'Look']) | {'Gate': Attempt(9, state)}
    why = staleness.stale_reasons(CHAIN, attempts, SAME)
    assert why['Gate'] == words
    assert staleness.missing_inputs('Change', CHAIN, why) == f'Gate {words}'


@hypothesis.given(st.lists(st.sampled_from(list(CHAIN)), max_size=4))
def test_what_follows_a_node_that_ran_again_is_out_of_date_and_nothing_else(again):
    why = staleness.stale_reasons(CHAIN, after([*CHAIN, *again]), SAME)
    latest = {node: number for number, node in enumerate([*CHAIN, *again])}

    def expected(node: str) -> bool:
        return any(latest[before] > latest[node] or expected(before) for before in CHAIN[node])

    assert {node for node in CHAIN if why[node]} == {node for node in CHAIN if expected(node)}


def test_a_node_that_ran_again_says_so_to_all_below():
    why = staleness.stale_reasons(CHAIN, after([*CHAIN, 'Look']), SAME)
    assert {node for node in CHAIN if why[node]} == below('Look')
    assert why['Gate'] == 'is out of date: Look ran again after it'
    assert why['Out'].startswith('is out of date: Change is out of date: Gate')


def test_a_node_that_became_another_one_has_to_run_and_all_below():
    changed = SAME | {'Change': 'other'}
    why = staleness.stale_reasons(CHAIN, after(list(CHAIN)), changed)
    assert {node for node in CHAIN if why[node]} == {'Change', 'Out'}
    assert why['Change'] == 'ran with other settings or code'


def test_a_node_whose_definition_was_not_noted_has_to_run():
    """It was killed before that, or was run by another version."""
    attempts = after(list(CHAIN)) | {'Change': Attempt(3, 'complete')}
    why = staleness.stale_reasons(CHAIN, attempts, SAME)
    assert {node for node in CHAIN if why[node]} == {'Change', 'Out'}


def test_a_change_outside_counts_like_another_definition():
    changed = {'Look': 'read images that have changed since'}
    why = staleness.stale_reasons(CHAIN, after(list(CHAIN)), SAME, changed)
    assert {node for node in CHAIN if why[node]} == {'Look'} | below('Look')
    assert why['Look'] == changed['Look']
    assert staleness.stale_reasons(CHAIN, {}, SAME, changed)['Look'] == 'did not run'


def test_results_that_were_taken_over_fit_each_other_whatever_their_numbers():
    order = list(CHAIN)
    taken = {
        node: Attempt(number, 'cached', 'd', reused=node in order[:4])
        for number, node in enumerate([*order[3::-1], *order[4:]])
    }
    assert not any(staleness.stale_reasons(CHAIN, taken, SAME).values())
    again = taken | {'In': Attempt(9, 'complete', 'd')}
    why = staleness.stale_reasons(CHAIN, again, SAME)
    assert {node for node in CHAIN if why[node]} == below('In')

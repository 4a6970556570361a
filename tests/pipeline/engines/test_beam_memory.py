"""What Beam remembers is what it would have worked out."""

from __future__ import annotations

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    TypeOptions,
    WorkerOptions,
)
from apache_beam.transforms import core
from apache_beam.transforms.userstate import BagStateSpec, get_dofn_specs, is_stateful_dofn

import apache_beam as beam  # isort: skip

from thawline.pipeline.engines import beam_memory

beam_memory.remember()
KINDS = (GoogleCloudOptions, StandardOptions, TypeOptions, WorkerOptions)
COUNTS = BagStateSpec('counts', beam.coders.VarIntCoder())
STATE = beam.DoFn.StateParam(COUNTS)


class Stateless(beam.DoFn):
    def process(self, element: int, factor: int = 2):
        yield element * factor


class Stateful(Stateless):
    def process(self, element: int, counts=STATE):
        yield element


def test_arguments_are_those_of_the_method_itself() -> None:
    read = core.get_function_args_defaults.__wrapped__
    for dofn in (Stateless(), Stateful(), beam.CombineFn(), Stateless()):
        names = [name for name in dir(dofn) if hasattr(getattr(dofn, name, None), '__func__')]
        assert len(names) > 8
        for name in names:
            method = getattr(dofn, name)
            assert core.get_function_args_defaults(method) == read(method), name


def test_what_a_caller_does_with_the_arguments_is_not_remembered() -> None:
    for _ in range(2):
        names, defaults = core.get_function_args_defaults(Stateless().process)
        assert (names, defaults) == (['element', 'factor'], [2])
        names.clear(), defaults.clear()


def test_functions_of_one_place_are_told_apart() -> None:
    functions = [lambda element, n=n: element for n in range(3)]
    assert [core.get_function_args_defaults(f)[1] for f in functions] == [[0], [1], [2]]


def test_state_is_found_in_the_class_that_has_it() -> None:
    assert is_stateful_dofn(Stateful()) and not is_stateful_dofn(Stateless())
    assert get_dofn_specs(Stateful()) == ({COUNTS}, set())


def test_views_have_the_values_of_their_options() -> None:
    view_as = PipelineOptions.view_as.__wrapped__
    for flags in (['--runner=FnApiRunner', '--project=a'], ['--runner=Direct', '--streaming'], []):
        for options in (PipelineOptions(flags), PipelineOptions(flags, project='b')):
            for kind in (*KINDS, *KINDS):
                view, expected = options.view_as(kind), view_as(PipelineOptions(flags), kind)
                assert type(view) is kind and dir(view) == dir(expected)
                for name in expected._visible_option_list():
                    given = options._all_options[name]
                    assert getattr(view, name) == given
                    assert given == getattr(expected, name) or name == 'project'


def test_a_view_changes_its_own_options_and_no_others() -> None:
    one, other = (PipelineOptions(['--experiments=x']) for _ in range(2))
    for options in (one, other):
        options.view_as(StandardOptions)
    one.view_as(StandardOptions).streaming = True
    one.view_as(beam.options.pipeline_options.DebugOptions).add_experiment('y')
    assert one.view_as(StandardOptions).streaming
    assert not other.view_as(StandardOptions).streaming
    assert one.view_as(beam.options.pipeline_options.DebugOptions).experiments == ['x', 'y']
    assert other.view_as(beam.options.pipeline_options.DebugOptions).experiments == ['x']


def test_unknown_options_of_a_view_are_still_refused() -> None:
    options = PipelineOptions([])
    for _ in range(2):
        view = options.view_as(TypeOptions)
        assert not hasattr(view, 'streaming')

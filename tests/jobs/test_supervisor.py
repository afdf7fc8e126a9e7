# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's process as the extension meets it: every way to end, to misbehave and to be stopped, with real children.
Knows nothing of what an engine computes."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

import pytest

from tests.jobs.children import PREAMBLE, alive, listen, open_files
from toondecompose_blender.jobs import supervisor as module
from toondecompose_blender.jobs.store import JobStore, log_tail
from toondecompose_blender.jobs.supervisor import Supervisor
from toondecompose_blender.protocol import Cancelled, Done, EngineError, Failed, Hello, Progress, Warned


def any_progress(heard: list) -> bool:
    return isinstance(heard[-1], Progress)


def test_a_well_behaved_engine_is_heard_from_hello_to_done(start, tmp_path):
    child = start("hello(); progress(3)\nsay('artifact', kind='contact_sheet', path='a.png')\nsay('done', result='/r')")
    heard = listen(child)
    assert [type(m).__name__ for m in heard] == ["Hello", "Progress", "Artifact", "Done"]
    assert heard[0] == Hello(1, "0.1.0", "2.13.0", "cpu") and heard[-1] == Done("/r")
    assert not child.running and child.poll() == []


def test_what_the_engine_writes_to_stderr_stands_in_the_log(start, tmp_path):
    listen(start("print('größe 描画', file=sys.stderr)\nsay('done', result='')"))
    assert log_tail(tmp_path).endswith("größe 描画")


@pytest.mark.parametrize("end, named", [("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"), ("os.abort()", "SIGABRT"),
                                        ("os._exit(3)", "exit code 3"), ("raise RuntimeError('no such kernel')", "no such kernel"),
                                        ("sys.exit(0)", "exit code 0")])
def test_an_engine_that_ends_without_a_word_has_died_and_says_how(start, end, named):
    last = listen(start(f"hello(); progress()\n{end}"))[-1]
    assert isinstance(last, Failed) and last.code == "engine.died" and named in last.message and last.remedy


def test_the_kill_of_a_full_memory_has_its_own_remedy(start):
    assert "memory" in listen(start("os.kill(os.getpid(), signal.SIGKILL)"))[-1].remedy


def test_garbage_is_told_once_and_the_work_goes_on(start):
    heard = listen(start("hello()\nfor i in range(50): print('Traceback', i, flush=True)\nsys.stdout.buffer.write(b'\\xff\\xfe\\n')\n"
                         "sys.stdout.flush()\nprint('{}', flush=True)\nsay('done', result='')"))
    warnings = [m for m in heard if isinstance(m, Warned)]
    assert len(warnings) == 1 and warnings[0].code == "engine.protocol" and isinstance(heard[-1], Done)


def test_half_a_line_is_no_message(start):
    last = listen(start("hello()\nsys.stdout.write('{\"v\":1,\"seq\":1,\"type\":\"done\"'); sys.stdout.flush()"))[-1]
    assert isinstance(last, Failed) and last.code == "engine.died"


def test_a_message_in_two_halves_is_one_message(start):
    heard = listen(start("line = json.dumps({'v': 1, 'seq': 0, 'type': 'done', 'result': '/r'})\n"
                         "print(line[:9], end='', flush=True); time.sleep(.3)\nprint(line[9:], flush=True)"))
    assert heard == [Done("/r")]


def test_another_protocol_is_refused_with_a_remedy(start):
    last = listen(start("hello(protocol=2); time.sleep(.2)\nsys.stdin.read()"))[-1]
    assert isinstance(last, Failed) and last.code == "engine.version" and "Repair" in last.remedy
    last = listen(start("print(json.dumps({'v': 9, 'seq': 0, 'type': 'hello'}), flush=True); sys.stdin.read()"))[-1]
    assert isinstance(last, Failed) and last.code == "engine.version"


def test_a_flood_neither_blocks_a_poll_nor_fills_the_memory(start):
    child = start("hello()\nwhile True: progress()")
    listen(child, any_progress)
    time.sleep(0.5)
    assert child._messages.qsize() <= module.WAITING_MESSAGES
    assert len(child.poll()) <= 1          # neighboring progress is one message
    child.cancel()
    child.close()
    assert not alive(child._child.pid)


def test_a_line_without_end_is_no_message_and_does_not_fill_the_memory(start):
    heard = listen(start("hello()\nsys.stdout.write('x' * 10_000_000 + '\\n')\nsay('done', result='')"))
    assert [type(m).__name__ for m in heard] == ["Hello", "Warned", "Done"]


def test_a_log_without_end_ends_the_job(start, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_LOG", 100_000)
    last = listen(start("hello()\nwhile True: print('x' * 1000, file=sys.stderr)"))[-1]
    assert isinstance(last, Failed) and last.code == "engine.flood"


def test_silence_is_measured_and_not_punished(start):
    child = start("hello(); time.sleep(1)\nsay('done', result='')")
    listen(child, lambda heard: isinstance(heard[-1], Hello))
    time.sleep(0.5)
    assert child.poll() == [] and child.silent_seconds >= 0.5 and child.running
    assert isinstance(listen(child)[-1], Done)


def test_cancel_is_a_line_that_the_engine_answers(start):
    child = start("hello(); progress()\nassert sys.stdin.readline() == 'cancel\\n'\nsay('cancelled')")
    listen(child, any_progress)
    child.cancel()
    assert listen(child)[-1] == Cancelled()


def test_an_engine_deaf_to_cancel_is_terminated_and_one_deaf_to_that_is_killed(start):
    for deafness, number in (("", -15), ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", -9)):
        child = start(f"{deafness}\nhello(); progress()\nwhile True: time.sleep(9)")
        listen(child, any_progress)
        child.cancel()
        assert listen(child)[-1] == Cancelled() and child._child.returncode == number


def test_the_whole_ladder_of_a_cancel_stays_below_two_seconds():
    assert module.CANCEL_SECONDS + module.TERMINATE_SECONDS <= 1.5      # what is left is for two ticks and the system


def test_a_child_with_much_to_clear_away_is_given_its_time(start):
    child = start("progress()\nsys.stdin.readline(); time.sleep(2.5); say('cancelled')", patience=30)
    listen(child, any_progress)
    child.cancel()
    assert listen(child)[-1] == Cancelled() and child._child.returncode == 0


def test_what_a_killed_engine_left_unfinished_is_deleted_and_finished_stages_stay(start, tmp_path):
    child = start("import pathlib\nfor name in ('flow', 'motion.tmp'):\n"
                  "    folder = pathlib.Path(os.environ['FOLDER'], 'stages', name)\n"
                  "    folder.mkdir(parents=True); (folder / 'a.npy').write_bytes(b'0')\n"
                  "progress()\nwhile True: time.sleep(9)", env={"FOLDER": str(tmp_path)})
    listen(child, any_progress)
    child.cancel()
    assert listen(child)[-1] == Cancelled()
    assert [path.name for path in (tmp_path / "stages").iterdir()] == ["flow"]


@pytest.mark.parametrize("other", [True, False])
def test_what_another_engine_is_writing_in_the_same_folder_is_left_alone(start, tmp_path, other):
    child = start("while True: progress(); time.sleep(0.1)")
    listen(child, any_progress)
    (tmp_path / "stages" / "motion.tmp").mkdir(parents=True)
    (tmp_path / "engine.lock").write_text(json.dumps({"process": child._child.pid + other, "host": socket.gethostname()}))
    child.cancel()
    listen(child)
    assert (tmp_path / "stages" / "motion.tmp").exists() == (tmp_path / "engine.lock").exists() == other


def test_what_the_engine_started_ends_with_it(start):
    child = start("import subprocess\nother = subprocess.Popen(['sleep', '600'])\nsay('artifact', kind='pid', path=str(other.pid))\n"
                  "os.kill(os.getpid(), signal.SIGKILL)")
    heard = listen(child)
    assert heard[-1].code == "engine.died" and not alive(int(heard[0].path))


def test_an_engine_that_stays_after_its_last_word_is_ended(start, monkeypatch):
    monkeypatch.setattr(module, "EXIT_SECONDS", 0.3)
    assert listen(start("say('done', result='')\nwhile True: time.sleep(9)"))[-1] == Done("")


def test_words_after_the_last_word_count_nothing(start):
    assert listen(start("say('done', result='/r'); progress(); say('failed', code='x', message='y', remedy='z')")) == [Done("/r")]


def test_closing_ends_a_busy_engine_at_once(start):
    child = start("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprogress()\nwhile True: pass")
    listen(child, any_progress)
    child.close()
    assert not alive(child._child.pid) and not child._reader.is_alive()


def test_an_engine_that_lost_its_blender_hears_the_end_of_its_input(tmp_path):
    """The supervisor's own process is killed; its child must notice."""
    import signal
    import subprocess
    engine = PREAMBLE + "import pathlib\nsys.stdin.read()\npathlib.Path(sys.argv[1]).write_text('left')"
    blender = ("import sys\nfrom toondecompose_blender.jobs.supervisor import Supervisor\n"
               f"s = Supervisor([sys.executable, '-c', {engine!r}, {str(tmp_path / 'left')!r}], {str(tmp_path)!r})\n"
               "print('up', flush=True)\ninput()")
    with subprocess.Popen([sys.executable, "-c", blender], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    for _ in range(500):
        if (tmp_path / "left").exists():
            break
        time.sleep(0.02)
    assert (tmp_path / "left").exists()


@pytest.mark.parametrize("command", [["/nowhere/python"], ["/etc/passwd"], ["a\0b"]])
def test_a_missing_interpreter_is_a_typed_error(tmp_path, command):
    with pytest.raises(EngineError) as caught:
        Supervisor(command, tmp_path)
    assert caught.value.code == "engine.missing" and caught.value.remedy


@pytest.mark.parametrize("name", ["with space", "it's \"quoted\"", "日本語の絵", "x" * 200, "-dash", "semi;colon $HOME `x`"])
def test_any_folder_name_works(start, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    heard = listen(start("say('done', result=sys.argv[0] or os.environ['FOLDER'])", folder, env={"FOLDER": str(folder)}))
    assert isinstance(heard[-1], Done) and log_tail(folder)


def test_a_clock_that_goes_back_changes_nothing(start, monkeypatch):
    child = start("progress()\nsys.stdin.readline(); say('cancelled')")
    listen(child, any_progress)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    child.cancel()
    assert listen(child)[-1] == Cancelled() and child.silent_seconds >= 0


def test_twenty_rounds_leave_no_process_thread_or_file(start, tmp_path):
    store = JobStore(tmp_path / "jobs")
    files, threads, pids = open_files(), threading.active_count(), []
    for turn in range(20):
        folder = tmp_path / f"job{turn}"
        folder.mkdir()
        child = start("progress()\nsys.stdin.readline(); say('cancelled')", folder, lock=store.lock(folder))
        pids.append(child._child.pid)
        listen(child, any_progress)
        child.cancel()
        listen(child)
        assert not store.is_locked(folder)
    assert open_files() == files and threading.active_count() == threads and not any(map(alive, pids))

"""The end of a server's log is quoted: bounded, and harmless to a terminal."""

from __future__ import annotations

from pytest_costguard.host.server_log import last_output, quoted


def test_colours_go_and_what_commands_a_terminal_is_replaced(tmp_path):
    log = tmp_path / "server.log"
    log.write_bytes(b"\x1b[31mERROR\x1b[0m\tno weights\r\n\x1b]0;title\x07bell\xff\n")

    assert last_output(log) == "ERROR    no weights\n\ufffd]0;title\ufffdbell\ufffd"


def test_a_long_log_is_read_from_its_end(tmp_path):
    log = tmp_path / "server.log"
    log.write_text("x" * 1_000_000 + "\nthe end\n")

    assert last_output(log).endswith("\nthe end")
    assert len(last_output(log)) < 100_000


def test_twenty_lines_are_quoted_each_cut():
    output = "\n\n".join(f"{number} " + "y" * 1000 for number in range(50))

    lines = quoted(output).splitlines()

    assert [line.split()[0] for line in lines] == [str(number) for number in range(30, 50)]
    assert max(map(len, lines)) == 200


def test_of_nothing_there_is_nothing_to_quote(tmp_path):
    log = tmp_path / "server.log"
    log.write_text("\n \n")

    assert quoted(last_output(log)) == ""

import subprocess
import sys

HEAVY = ("pandas", "optuna", "boto3", "botocore", "scipy", "sklearn")


def test_help_starts_without_importing_the_heavy_libraries() -> None:
    code = (
        "import sys; sys.argv = ['planner', '--help']\n"
        "from planner.cli import main\n"
        "try:\n main()\nexcept SystemExit as end:\n assert end.code == 0\n"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "recommend" in shown
    assert shown.splitlines()[-1] == "LOADED []"


def test_an_unknown_command_is_a_usage_error() -> None:
    ended = subprocess.run([sys.executable, "-m", "planner", "recomend"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "No such command 'recomend'. Did you mean 'recommend'?" in ended.stderr

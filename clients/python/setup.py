"""Generates the stubs of proto/ into the package that is built."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"


class GenerateStubs(build_py):
    """Compiles every proto into `moka.<noun>.v1` beside the helper package."""

    def run(self):
        import grpc_tools
        from grpc_tools import protoc

        super().run()
        target = Path(self.build_lib)
        target.mkdir(parents=True, exist_ok=True)
        protos = sorted(str(file.relative_to(PROTO)) for file in PROTO.rglob("*.proto"))
        if not protos:
            raise FileNotFoundError(f"no protos in {PROTO}: build it inside the repository")
        well_known = Path(grpc_tools.__file__).parent / "_proto"
        arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}"]
        arguments += [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main(arguments + protos) != 0:
            raise RuntimeError("protoc failed")


setup(packages=["moka_client"], cmdclass={"build_py": GenerateStubs})

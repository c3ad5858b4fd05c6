"""Certification: every compiled derivative beside oracles that owe nothing to it."""

from __future__ import annotations

from symopt.certify.check import CHECKED, check
from symopt.certify.oracle import Oracle
from symopt.certify.report import Comparison, Failure, Report

__all__ = ["CHECKED", "Comparison", "Failure", "Oracle", "Report", "check"]

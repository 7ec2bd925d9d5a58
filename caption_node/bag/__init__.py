# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings: rosbag2 (MCAP, sqlite3) and ROS 1 in, MCAP with descriptions out; without ROS."""
